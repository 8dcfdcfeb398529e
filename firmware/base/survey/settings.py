"""What the base's config file may say of the survey, its numbers and its exports."""

from dataclasses import dataclass

from firmware.config import setting

DESIGNS = (
    "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted",
    "opportunistic",
)  # fmt: skip


@dataclass(frozen=True)
class SurveySettings:
    """The survey as others will read of it."""

    project: str = setting("Rosette survey", help="its title in reports and exports", pattern=".+")
    organisation: str = setting("", help="who runs it, as exports name them")
    design: str = setting(
        "targeted", help="how places were chosen, in the words of Camtrap DP", choices=DESIGNS
    )
    data_licence: str = setting("CC-BY-NC-4.0", help="licence of exported tables", pattern=".+")
    media_licence: str = setting("CC-BY-NC-4.0", help="licence of exported pictures", pattern=".+")
    independence_min: float = setting(
        30.0, help="minutes without a species at a place after which the next is a new event",
        least=0, most=1440,
    )  # fmt: skip
    downtime_h: float = setting(
        26.0, help="a unit unheard of for longer than this did not work in between",
        least=1, most=24 * 60,
    )  # fmt: skip
    embargo_days: int = setting(
        365, help="public exports end this many days ago", least=0, most=36500
    )

    @property
    def independence_s(self) -> float:
        return self.independence_min * 60

    @property
    def downtime_s(self) -> float:
        return self.downtime_h * 3600
