"""The owner's direct messages in the fake Discord, as a terminal shows them."""
