"""Processes that work for this one: started, spoken to, timed, replaced and ended in one way."""
