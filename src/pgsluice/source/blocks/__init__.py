"""A file as a sequence of blocks: faultless records for the readers, faults, and the ordinals and lines of all records.

Ordinals number the records of a file from 0, faults included; headers, blank lines, comments and footers have none.
Lines are physical and count from 1, whatever they hold. A block ends where a record ends.
"""

from pgsluice.source.blocks.block import Block as Block
from pgsluice.source.blocks.block import Extent as Extent
from pgsluice.source.blocks.block import extent as extent
from pgsluice.source.blocks.parsing import block_of as block_of
from pgsluice.source.blocks.parsing import recheck as recheck
from pgsluice.source.blocks.reader import BlockReader as BlockReader
from pgsluice.source.blocks.reader import header_fault as header_fault
from pgsluice.source.blocks.tally import Remarks as Remarks
from pgsluice.source.faults import Fault as Fault
