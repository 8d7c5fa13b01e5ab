"""Records of a CSV file: where they begin and end, and which of them are faults.

``rules`` states the rules and defines the types. Three modules apply the rules, each at its own speed: ``fast_scan``
validates a whole buffer with numpy, ``walker`` goes through a buffer span by span, ``record_parser`` parses one record.
"""
