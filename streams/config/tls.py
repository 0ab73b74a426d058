"""TLS to the servers: whom to trust, and who we are."""

from typing import Final

from streams.config.values import Section, Text

TLS_FILES: Final = frozenset({"ca_file", "certificate_file", "key_file"})
"""The keys that name a file, relative to the settings file."""


class TlsSettings(Section):
    """`ca_file` has the authorities that are trusted, and no others then (else the machine's); the other two prove us."""

    ca_file: Text | None = None
    certificate_file: Text | None = None
    key_file: Text | None = None
    check_host_name: bool = True
