"""The authors' frame: the box they simulate, and the pixels of it that they show."""

BOX = 50.0  # side of the simulated field, as in the paper [angstrom]

BOX_SAMPLES = 1024  # pixels along the box in the authors' files

AUTHORS_PIXEL = BOX / BOX_SAMPLES  # side of a pixel of their files, 0.0488 [angstrom]

CROP_SHAPE = (876, 927)  # (height, width) of the images in their files [pixels]

# Where the authors' files PtNp2-S3_5 and PtNp2-S3_2-S5_2 lie in our image of the same
# structure (40 angstrom, tilt 3 degrees about x, defocus 6 nm): the highest
# cross-correlation of both, found at (42, 0) with 0.997 and 0.996. The crop leaves out
# the bottom and what is right of 45.3 angstrom, where they have the seam.
CROP = (slice(42, 42 + CROP_SHAPE[0]), slice(0, CROP_SHAPE[1]))  # rows, columns

SHRINK = 0.785  # their loader's factor on both sides of an image, from their code

# Their loader takes (width, height) for (height, width): `sbd.metrics.authors_resize`.
PUBLISHED_SHAPE = tuple(int(SHRINK * side) for side in CROP_SHAPE[::-1])  # (727, 687)

PIXEL = AUTHORS_PIXEL / SHRINK  # of the paper's recorded movies, 0.0622 [angstrom]
