"""The wire: messages and stubs of the proto package `headway.v1`, generated from protos/headway/v1 at build."""
