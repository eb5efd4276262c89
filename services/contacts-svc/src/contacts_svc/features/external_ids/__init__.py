"""How the ids that other systems gave are spelled, for everybody who looks records up by them."""
