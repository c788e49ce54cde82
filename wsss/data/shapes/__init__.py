"""`shapes`, the embedded data set: a painted world, made on the spot and the same on every machine.

Six classes in three pairs. The two of a pair have much the same bodies, coats and paints, and differ in a
small part at one end of the body: the face of a fox or a badger, the emblem of a bus or the front of a tram,
the flower heads of a sunflower or a thistle. So a plain classifier looks at these parts and its CAMs
under-cover the objects, as on photographs, while the bodies hold evidence for whoever is made to look for it.
"""

from wsss.data.shapes.picture import Picture, Thing, picture
from wsss.data.shapes.staging import CLASSES
from wsss.data.shapes.write import write_shapes

__all__ = ["CLASSES", "Picture", "Thing", "picture", "write_shapes"]
