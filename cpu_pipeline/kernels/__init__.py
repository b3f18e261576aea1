"""Compiled loops (Numba) of the native variants, imported only where one of them runs."""
