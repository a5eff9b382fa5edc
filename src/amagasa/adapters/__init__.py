"""One family per outside thing; a family imports core and app.ports, never another family."""
