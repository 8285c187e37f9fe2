"""Every error that a user can cause, in one tree.

RspnetError                     exit code 1
├── UsageError                  exit code 2: the request itself is wrong
│   ├── UnknownBackbone
│   ├── MissingHead             the encoder has no motion or appearance head
│   ├── InvalidSetting
│   ├── DeviceUnavailable
│   ├── PrecisionUnsafe         gradients in that precision are wrong on this device
│   ├── NotAllowed              the visitor's role does not allow it
│   ├── DatasetError            folder, list or label file is missing or does not fit
│   ├── QueryNotFound
│   └── NothingMatches          no video has such a class, split or folder, or is within such bounds
├── VideoError                  a video cannot be decoded
│   └── NoVideoTrack            the file holds sound, subtitles or pictures alone
├── TrainingDiverged            the loss is not a number any more
├── WeightsError                a weights file is damaged, unsafe or of another network
│   └── WeightsNotFound         exit code 2: there is no such file
└── LibraryError
    ├── LibraryNotFound         exit code 2
    ├── LibraryBusy             exit code 75: another writer holds the library
    ├── LibraryDamaged          `repair` may help
    ├── LibraryOutdated         newer generations were published since it was opened
    └── EncoderMismatch         exit code 2: vectors of two encoders never mix

A message says what was got, what is allowed and what to do next, on one line.
"""

from typing import ClassVar


class RspnetError(Exception):
    """Base of all errors a user can cause; ``exit_code`` is what a command ends with."""

    exit_code: ClassVar[int] = 1


class UsageError(RspnetError):
    """The request cannot be carried out as it was put."""

    exit_code = 2


class UnknownBackbone(UsageError):
    """A backbone's name is not known."""


class MissingHead(UsageError):
    """The motion or appearance head was asked of an encoder that has none."""


class InvalidSetting(UsageError):
    """A number or name is outside of what is allowed."""


class DeviceUnavailable(UsageError):
    """The device that was asked for is not on this machine."""


class PrecisionUnsafe(UsageError):
    """Gradients in the precision that was asked for are wrong on this device."""


class NotAllowed(UsageError):
    """The visitor's role does not allow what was asked for."""


class DatasetError(UsageError):
    """A folder, split list or label file is missing or does not fit the others."""


class QueryNotFound(UsageError):
    """The query is neither a readable file nor the id of an indexed video."""


class NothingMatches(UsageError):
    """No video passes the filters; the message says what there is."""


class VideoError(RspnetError):
    """A file cannot be decoded as a video; the message is a reason that a user understands."""


class NoVideoTrack(VideoError):
    """A file in a container of videos holds no video: sound, subtitles or a cover alone. A build passes over it."""


class TrainingDiverged(RspnetError):
    """The loss became NaN or infinite; the message says where the last good state is."""


class WeightsError(RspnetError):
    """A weights file is damaged, unsafe to load or made for another network."""


class WeightsNotFound(WeightsError):
    """There are no weights of that name."""

    exit_code = 2


class LibraryError(RspnetError):
    """The library on disk cannot be used as it is."""


class LibraryNotFound(LibraryError):
    """There is no library at the given place."""

    exit_code = 2


class LibraryBusy(LibraryError):
    """Another process is writing to the library."""

    exit_code = 75


class LibraryDamaged(LibraryError):
    """A file of the library is missing or does not match its recorded hash."""


class LibraryOutdated(LibraryError):
    """What the open generation shows is kept no more, because newer ones were published: open the library again."""


class EncoderMismatch(LibraryError):
    """The library was made with another encoder."""

    exit_code = 2
