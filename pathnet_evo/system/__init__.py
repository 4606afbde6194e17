"""The process: its streams, its folders, guarded calls of code that is not ours."""
