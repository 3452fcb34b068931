"""The orders service as it was last released: what a test runs beside the present one, on the present schema."""
