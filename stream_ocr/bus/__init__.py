"""Events over sockets: published as they are committed, asked for when they were missed."""
