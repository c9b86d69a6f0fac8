"""Files of quotes that other people sell, into recordings (docs/recordings.md).

`formats.py` knows what each file looks like, `values.py` what its numbers mean, `converter.py` sorts and writes.
"""
