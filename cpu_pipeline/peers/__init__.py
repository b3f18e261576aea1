"""Peers: each stage by other people's libraries, as their documentation would have it; one module per stage.

They need the extra ``peers``; a variant whose library is missing is a row that says so. docs/peers.md tells what each
one is, its licence, and which libraries were tried and left out.
"""
