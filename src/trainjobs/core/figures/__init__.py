"""What figures are called where they are asked for, and whether what a run asks for is measured."""
