"""One object's frames in their order."""

from hypothesis import given
from hypothesis import strategies as st

from firmware.trap.uplink.lora.transfer import Frame, Transfer
from firmware.wire.rlc import MAX_INDEX


def all_frames(transfer: Transfer) -> tuple[list[Frame], Transfer]:
    """Until it is the base's turn."""
    frames = []
    while (frame := transfer.frame()) is not None:
        frames.append(frame)
        transfer = transfer.sent()
    return frames, transfer


def test_the_manifest_then_every_source_symbol_and_the_last_one_asks() -> None:
    frames, _ = all_frames(Transfer.begin(3))
    assert frames == [
        Frame(manifest=True), Frame(index=0), Frame(index=1), Frame(index=2, poll=True),
    ]  # fmt: skip


def test_what_the_base_needs_is_sent_once_as_new_symbols() -> None:
    _, done = all_frames(Transfer.begin(3))
    frames, _ = all_frames(done.need(2))
    assert frames == [Frame(index=3), Frame(index=4, poll=True)]


def test_a_lost_manifest_is_sent_again_with_what_is_missing_of_the_rest() -> None:
    _, done = all_frames(Transfer.begin(3))
    frames, _ = all_frames(done.manifest_wanted(2))
    assert frames == [Frame(manifest=True), Frame(index=3, poll=True)]
    frames, _ = all_frames(done.manifest_wanted(3))
    assert frames == [Frame(manifest=True), Frame(poll=True)]


def test_silence_costs_a_bare_poll() -> None:
    _, done = all_frames(Transfer.begin(3))
    frames, after = all_frames(done.unanswered())
    assert frames == [Frame(poll=True)] and after.frame() is None


@given(st.integers(1, 150), st.lists(st.one_of(
    st.integers(1, 20), st.just("silence"), st.integers(0, 150).map(lambda held: (held,)),
), max_size=30))  # fmt: skip
def test_every_round_ends_with_one_question_and_no_symbol_comes_twice(
    count: int, answers: list[int | str | tuple[int]]
) -> None:
    transfer, seen = Transfer.begin(count), set[int]()
    for answer in [None, *answers]:
        match answer:
            case int():
                transfer = transfer.need(answer)
            case "silence":
                transfer = transfer.unanswered()
            case (int(held),):
                transfer = transfer.manifest_wanted(held)
        frames, transfer = all_frames(transfer)
        assert [frame.poll for frame in frames].count(True) == 1 and frames[-1].poll
        indices = [frame.index for frame in frames if frame.index is not None]
        assert not seen & set(indices)
        seen |= set(indices)


def test_an_object_that_has_no_symbols_left_says_so() -> None:
    assert Transfer(3, MAX_INDEX, MAX_INDEX + 1).exhausted
    assert not Transfer.begin(150).exhausted
