"""How files travel to and from the gateway's blob store: for clients and for trainer hosts alike."""
