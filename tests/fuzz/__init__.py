"""Programs that search for inputs that break a promise; a small number of inputs runs in the suite."""
