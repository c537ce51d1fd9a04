"""Where a service is dialled that may run several times: one address, or several with commas between."""

from typing import Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from headway.runtime.listen_address import ListenAddress


class AddressList(str):
    """`host:port`, or `host:port,host:port`; as written, and never empty."""

    __slots__ = ()

    @property
    def each(self) -> tuple[str, ...]:
        """The addresses, in the order written."""
        return tuple(part.strip() for part in self.split(","))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check the form.

        Raises:
            ValueError: one of them is not `host:port`, or stands there twice.
        """
        addresses = cls(text)
        try:
            for address in addresses.each:
                ListenAddress.parse(address)
        except ValueError:
            raise ValueError(
                "must be host:port, or several with commas between, such as 10.0.0.1:7071,10.0.0.2:7071"
            ) from None
        if len(set(addresses.each)) < len(addresses.each):
            raise ValueError("names the same address twice; name each once")
        return addresses

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A string of that form."""
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema())
