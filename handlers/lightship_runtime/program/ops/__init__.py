"""One module an operation family; each exports OPERATIONS, the operations by their name within the family."""
