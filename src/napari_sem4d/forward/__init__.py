"""Forward engines: height, relative yield and instrument to expected signals."""
