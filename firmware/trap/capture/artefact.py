"""Models as versioned, signed artefacts on a unit: which one runs, and how another gets in.

    <data_dir>/model/<id>/      one installed model: .tflite, .json and, if it is signed, .sig
    <data_dir>/model/current    a link to the one that runs; without it the shipped model runs

Promises that `install` changes `current` only after the copy on the card has been loaded and has
run once, in one rename; so a bad file or a power cut leaves the model that ran before, and the one
before it stays on the card. A signature is Ed25519 (RFC 8032) over a fixed prefix and the sidecar,
which holds the model's SHA-256. Whether signatures are demanded is the config's choice
(`classifier.trusted_key`). Does not protect against somebody who can write to the card.
"""

import base64
import binascii
import logging
import shutil
from pathlib import Path

from firmware.durable import sync_directory, write_file
from firmware.trap.capture.classifier import Classifier, shipped_model
from firmware.trap.capture.sidecar import ModelError
from firmware.trap.settings import ClassifierSettings, TrapSettings

log = logging.getLogger(__name__)

SUFFIXES = (".tflite", ".json", ".sig")
SIGNED_PREFIX = b"rosette model 1\n"


def installed_model(data_dir: Path) -> Path | None:
    """The model that was installed on this unit, if one was."""
    return next(iter(sorted((data_dir / "model" / "current").glob("*.tflite"))), None)


def load_classifier(settings: TrapSettings) -> Classifier:
    """The configured model, else the installed, else the shipped one. One that does not load is an
    ERROR and the shipped one takes its place: a unit with an older model still sees leopards.
    Raises ModelError when that does not load either."""
    wanted = settings.classifier.model or installed_model(settings.unit.data_dir)
    if wanted is not None:
        try:
            return Classifier(wanted, settings.classifier)
        except ModelError as error:
            log.error("model_refused reason=%s", error)  # noqa: TRY400 - says all
    return Classifier(shipped_model(), settings.classifier)


def verify(model: Path, settings: ClassifierSettings) -> Classifier:
    """The model, loaded and run once; its signature is checked where the settings name a key.
    Raises ModelError."""
    if settings.trusted_key is not None:
        check_signature(model, settings.trusted_key)
    return Classifier(model, settings)


def install(model: Path, settings: TrapSettings) -> Classifier:
    """Make this the unit's model from its next start on. Raises ModelError, and then the one
    before stays."""
    checked = verify(model, settings.classifier)
    folder = settings.unit.data_dir / "model"
    place = folder / checked.sidecar.id
    try:
        if not _holds(place, model):
            _copy(model, place)
        installed = verify(place / model.name, settings.classifier)
        _make_current(folder, place)
    except OSError as error:
        raise ModelError(
            f"{place}: cannot be installed: {error}; the model before stays"
        ) from error
    return installed


def sign(model: Path, key: Path) -> Path:
    """Sign a model's sidecar with an Ed25519 private key (PEM); returns the signature's file.
    Raises ModelError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(key.read_bytes(), None)
        sidecar = model.with_suffix(".json").read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{model}: cannot be signed: {error}") from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ModelError(f"{key}: is not an Ed25519 key; `openssl genpkey -algorithm ed25519`")
    signature = model.with_suffix(".sig")
    write_file(signature, base64.b64encode(private.sign(SIGNED_PREFIX + sidecar)) + b"\n")
    return signature


def check_signature(model: Path, key: Path) -> None:
    """Raises ModelError unless the sidecar is signed by this Ed25519 public key (PEM)."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    path = model.with_suffix(".sig")
    try:
        public = load_pem_public_key(key.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelError(f"classifier.trusted_key: {key} cannot be read: {error}") from error
    if not isinstance(public, Ed25519PublicKey):
        raise ModelError(f"classifier.trusted_key: {key} is not an Ed25519 public key")
    try:
        signature = base64.b64decode(path.read_bytes(), validate=False)
        public.verify(signature, SIGNED_PREFIX + model.with_suffix(".json").read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{path}: is missing, and this unit takes signed models only") from error
    except (InvalidSignature, binascii.Error) as error:
        raise ModelError(f"{path}: is not a signature of the trusted key: do not use it") from error
    except OSError as error:
        raise ModelError(f"{error.filename}: cannot be read: {error.strerror}") from error


def _holds(place: Path, model: Path) -> bool:
    """Whether the place has these very files, so that what runs need not be touched."""
    return all(
        _content(file) == _content(place / file.name) for file in map(model.with_suffix, SUFFIXES)
    )


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _copy(model: Path, place: Path) -> None:
    """The files of a model into a folder of its own, durable; over what a power cut left there."""
    place.mkdir(parents=True, exist_ok=True)
    for stale in place.iterdir():
        stale.unlink()
    for source in map(model.with_suffix, SUFFIXES):
        if source.suffix != ".sig" or source.exists():
            write_file(place / source.name, source.read_bytes())
    sync_directory(place)
    sync_directory(place.parent)


def _make_current(folder: Path, place: Path) -> None:
    """Point `current` at the place in one rename; all but it and the one before may go."""
    current = folder / "current"
    before = current.resolve().name if current.is_symlink() else place.name
    fresh = folder / ".current.tmp"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(place.name)
    fresh.replace(current)
    sync_directory(folder)
    for old in folder.iterdir():
        if old.is_dir() and not old.is_symlink() and old.name not in {place.name, before}:
            shutil.rmtree(old, ignore_errors=True)
