"""`shapes`, the embedded data set: images that are drawn from a seed, equal on all machines.

Six classes in three pairs. The two classes of a pair have similar bodies, coats and paints, and differ in a
small part at one end of the body: the face of a fox or a badger, the emblem of a bus or the front of a tram,
the flower heads of a sunflower or a thistle. So the CAMs of a plain classifier cover these parts only, as on
photographs, while the bodies hold evidence that erasing can find.
"""

from wsss.data.shapes.picture import Picture, Thing, picture
from wsss.data.shapes.staging import CLASSES
from wsss.data.shapes.write import write_shapes
