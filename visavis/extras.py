"""Packages that only a part of visavis needs: imported where they are, or an error that says how to install them."""

from importlib import import_module

from visavis.errors import InputError


def needed(package: str, what: str, install: str) -> object:
    """Import a package that only `what` needs. Raises InputError that says how to install it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise InputError(f"{what} needs a package that is not there ({error}); {install}") from None
