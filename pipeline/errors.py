"""Errors that a user can mend; the command line prints them without a traceback and exits with 2."""


class TechnobenchError(Exception):
    """Base of the errors below: the message says what is wrong, where, and how to mend it."""


class InputError(TechnobenchError):
    """A file, option or dataset given by the user cannot be used as it is."""


class UnsupportedModelError(TechnobenchError):
    """A model holds something that the code at hand does not compute; named, never computed wrongly."""


class DeviceError(TechnobenchError):
    """The CUDA device, or what may be used of it, does not do for the work at hand."""
