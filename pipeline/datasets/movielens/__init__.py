"""The real MovieLens data, from the user's own copy: nothing of it comes with the suite."""

from .maker import MAKERS as MAKERS
