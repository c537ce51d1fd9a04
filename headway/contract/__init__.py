"""What every part of headway agrees on; pure: no asyncio, no gRPC, no NATS, no clock."""
