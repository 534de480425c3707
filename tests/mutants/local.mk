# tests/mutants
