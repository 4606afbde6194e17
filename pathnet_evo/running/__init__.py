"""A run as a whole: started, resumed, checked, loaded, played."""
