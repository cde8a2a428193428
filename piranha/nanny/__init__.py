"""nanny: the checks of the real servers, on their rhythm, in processes of their own."""
