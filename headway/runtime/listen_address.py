"""Where a service listens."""

from ipaddress import ip_address
from typing import Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema


class ListenAddress(str):
    """`host:port` where a service listens; port 0 for any free one."""

    __slots__ = ()

    @property
    def host(self) -> str:
        """Without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """0 to 65535."""
        return int(self.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check the form.

        Raises:
            ValueError: it is not `host:port`.
        """
        host, colon, port = text.rpartition(":")
        if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError("must be host:port with a port of 0 to 65535, such as 127.0.0.1:7070")
        return cls(text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of that form."""
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())
