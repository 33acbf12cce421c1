"""Compares the answers to geometry queries with those of independent formulas.

    Tests/Drivers/geometry.py ADDRESS [--seed N] [--rounds N]

The formulas: distances by vectors; on the sphere, everything else after a gnomonic projection, which makes straight
lines of the shortest ways between points, so that plane geometry answers. What lies so near a border that rounding
decides is left out. Polygons are stars around a center: they never cross themselves.
"""

import math
import random
import sys

from pymongo import MongoClient

from arguments import of_rounds

EARTH_RADIUS = 6378100.0
# Nearer to a border than this (radians, or units of the projection) nothing is claimed.
DOUBT = 1e-7


def vector(point):
    longitude, latitude = math.radians(point[0]), math.radians(point[1])
    return (math.cos(latitude) * math.cos(longitude), math.cos(latitude) * math.sin(longitude), math.sin(latitude))


def cross(a, b):
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def dot(a, b):
    return sum(x * y for x, y in zip(a, b))


def angle(a, b):
    return math.atan2(math.hypot(*cross(a, b)), dot(a, b))


def distance_to_arc(p, a, b):
    """The angle between a point and the shortest way from a to b."""
    normal = cross(a, b)
    length = math.hypot(*normal)
    if length > 1e-15:
        foot = cross(cross(normal, p), normal)
        if dot(cross(a, foot), normal) > 0 and dot(cross(foot, b), normal) > 0:
            return abs(math.asin(max(-1, min(1, dot(normal, p) / length))))
    return min(angle(p, a), angle(p, b))


class Projection:
    """Onto the plane that touches the sphere at `center`; nothing beyond the horizon is on it."""

    def __init__(self, center):
        self.center = vector(center)
        longitude = math.radians(center[0])
        self.east = (-math.sin(longitude), math.cos(longitude), 0.0)
        self.north = cross(self.center, self.east)

    def __call__(self, point):
        v = vector(point)
        depth = dot(v, self.center)
        return None if depth < 1e-6 else (dot(v, self.east) / depth, dot(v, self.north) / depth)

    def unproject(self, x, y):
        v = [c + x * e + y * n for c, e, n in zip(self.center, self.east, self.north)]
        return [math.degrees(math.atan2(v[1], v[0])), math.degrees(math.atan2(v[2], math.hypot(v[0], v[1])))]


def turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def plane_distance(p, a, b):
    width, height = b[0] - a[0], b[1] - a[1]
    length = width * width + height * height
    share = 0 if length == 0 else max(0, min(1, ((p[0] - a[0]) * width + (p[1] - a[1]) * height) / length))
    return math.hypot(p[0] - a[0] - share * width, p[1] - a[1] - share * height)


def edges(ring):
    return list(zip(ring, ring[1:] + ring[:1]))


def inside(p, ring):
    """True, False, or None where it is too near the border to say."""
    if min(plane_distance(p, a, b) for a, b in edges(ring)) < DOUBT:
        return None
    crossings = sum((a[1] > p[1]) != (b[1] > p[1])
                    and p[0] < a[0] + (p[1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1]) for a, b in edges(ring))
    return crossings % 2 == 1


def segments_cross(a, b, c, d):
    """None where an end of one is too near the other."""
    if min(plane_distance(a, c, d), plane_distance(b, c, d), plane_distance(c, a, b), plane_distance(d, a, b)) < DOUBT:
        return None
    return (turn(a, b, c) > 0) != (turn(a, b, d) > 0) and (turn(c, d, a) > 0) != (turn(c, d, b) > 0)


def any_of(answers):
    answers = list(answers)
    return True if True in answers else None if None in answers else False


def negated(answer):
    return None if answer is None else not answer


class Shape:
    """A stored geometry: a point, a line or a polygon without holes."""

    def __init__(self, value, points, kind):
        self.value, self.points, self.kind = value, points, kind

    def distance(self, point):
        p, vertices = vector(point), [vector(q) for q in self.points]
        if self.kind == "point":
            return angle(p, vertices[0])
        pairs = edges(vertices) if self.kind == "polygon" else list(zip(vertices, vertices[1:]))
        least = min(distance_to_arc(p, a, b) for a, b in pairs)
        if self.kind == "polygon":
            projection = Projection(self.points[0])
            spot = projection(point)
            if spot and inside(spot, [projection(q) for q in self.points]):
                return 0.0
        return least

    def segments(self, projection):
        spots = [projection(q) for q in self.points]
        if None in spots:
            return None, None
        return spots, edges(spots) if self.kind == "polygon" else list(zip(spots, spots[1:]))

    def within(self, projection, rings):
        """Whether the polygon of these projected rings contains it."""
        spots, pairs = self.segments(projection)
        if spots is None:
            return False if self.kind == "point" else None
        outer = [inside(p, rings[0]) for p in spots]
        holes = [any_of(inside(p, hole) for p in spots) for hole in rings[1:]]
        crossing = any_of(segments_cross(a, b, c, d) for a, b in pairs for ring in rings for c, d in edges(ring))
        swallowed = any_of(inside(hole[0], spots) for hole in rings[1:]) if self.kind == "polygon" else False
        return negated(any_of([*map(negated, outer), *holes, crossing, swallowed]))

    def meets(self, projection, rings):
        spots, pairs = self.segments(projection)
        if spots is None:
            return False if self.kind == "point" else None
        crossing = any_of(segments_cross(a, b, c, d) for a, b in pairs for ring in rings for c, d in edges(ring))
        touching = []
        for p in spots:
            answers = [inside(p, rings[0]), *(negated(inside(p, hole)) for hole in rings[1:])]
            touching.append(False if False in answers else None if None in answers else True)
        around = inside(rings[0][0], spots) if self.kind == "polygon" else False
        return any_of([crossing, *touching, around])


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def point(self):
        choice = self.random.random()
        if choice < 0.2:
            return [self.random.uniform(-180, 180), self.random.choice([-1, 1]) * self.random.uniform(85, 90)]
        if choice < 0.4:
            return [self.random.choice([-1, 1]) * self.random.uniform(178, 180), self.random.uniform(-5, 5)]
        return [self.random.uniform(-180, 180), math.degrees(math.asin(self.random.uniform(-1, 1)))]

    def near(self, center, reach):
        x, y = self.random.uniform(-reach, reach), self.random.uniform(-reach, reach)
        return Projection(center).unproject(x, y)

    def star(self, center, reach, corners, low=0.3):
        start = self.random.uniform(0, math.pi)
        spots = []
        for index in range(corners):
            way = start + 2 * math.pi * (index + self.random.uniform(0, 0.5)) / corners
            far = reach * self.random.uniform(low, 1)
            spots.append(Projection(center).unproject(far * math.cos(way), far * math.sin(way)))
        return spots

    def stored(self, center, reach):
        kind = self.random.choice(["point", "pair", "document", "line", "polygon"])
        place = self.near(center, 2 * reach) if self.random.random() < 0.8 else self.point()
        if kind == "pair":
            return Shape(place, [place], "point")
        if kind == "document":
            return Shape({"x": place[0], "y": place[1]}, [place], "point")
        if kind == "point":
            return Shape({"type": "Point", "coordinates": place}, [place], "point")
        size = reach * self.random.uniform(0.05, 1)
        if kind == "line":
            points = [self.near(place, size) for _ in range(self.random.randint(2, 4))]
            return Shape({"type": "LineString", "coordinates": points}, points, "line")
        points = self.star(place, size, self.random.randint(3, 7))
        return Shape(polygon([points]), points, "polygon")


def polygon(rings, **more):
    return {"type": "Polygon", "coordinates": [ring + ring[:1] for ring in rings], **more}


STRICT = {"type": "name", "properties": {"name": "urn:x-mongodb:crs:strictwinding:EPSG:4326"}}


class Comparison:
    def __init__(self, collection, shapes):
        self.collection, self.shapes = collection, shapes
        self.compared = self.matched = 0

    def check(self, condition, expect):
        found = {document["_id"] for document in self.collection.find({"a": condition})}
        for number, shape in enumerate(self.shapes):
            expected = expect(shape)
            if expected is None:
                continue
            self.compared += 1
            self.matched += expected
            if (number in found) != expected:
                raise AssertionError(f"{condition} {'found' if number in found else 'left out'} {shape.value}")

    def check_order(self, condition, distance, least, most):
        """Nearest first, and exactly those within the range."""
        found = [document["_id"] for document in self.collection.find({"a": condition})]
        distances = [distance(self.shapes[number]) for number in found]
        for before, after in zip(distances, distances[1:]):
            if before > after + 1e-9:
                raise AssertionError(f"{condition}: {before} before {after}")
        for number, shape in enumerate(self.shapes):
            far = distance(shape)
            if far is None or abs(far - least) < 1e-9 or abs(far - most) < 1e-9:
                continue
            self.compared += 1
            if (number in found) != (least <= far <= most):
                raise AssertionError(f"{condition}: {shape.value} at {far}")


def compare_on_sphere(comparison, maker, center, reach):
    rings = [maker.star(center, reach, maker.random.randint(3, 9))]
    if maker.random.random() < 0.5:
        # A hole needs a border with enough corners to go around it.
        rings = [maker.star(center, reach, maker.random.randint(5, 9), low=0.6), maker.star(center, reach * 0.15, 4)]
    projection = Projection(center)
    projected = [[projection(p) for p in ring] for ring in rings]
    comparison.check({"$geoWithin": {"$geometry": polygon(rings)}}, lambda s: s.within(projection, projected))
    comparison.check({"$geoIntersects": {"$geometry": polygon(rings)}}, lambda s: s.meets(projection, projected))
    outside = polygon([rings[0][::-1]], crs=STRICT)
    comparison.check({"$geoIntersects": {"$geometry": outside}},
                     lambda s: negated(s.within(projection, projected[:1])))
    radius = maker.random.uniform(0, 2 * reach)
    v = vector(center)

    def in_circle(shape):
        farthest = max(angle(v, vector(p)) for p in shape.points)
        return None if abs(farthest - radius) < DOUBT or radius > math.pi / 2 else farthest < radius

    comparison.check({"$geoWithin": {"$centerSphere": [center, radius]}}, in_circle)
    least, most = sorted(maker.random.uniform(0, 3 * reach) for _ in range(2))
    comparison.check_order({"$nearSphere": center, "$minDistance": least, "$maxDistance": most},
                           lambda s: s.distance(center), least, most)
    near = {"$geometry": {"type": "Point", "coordinates": center}, "$maxDistance": most * EARTH_RADIUS}
    comparison.check_order({"$near": near}, lambda s: s.distance(center), 0, most)


def compare_on_plane(comparison, flat, maker, center, reach):
    reach = math.degrees(reach)

    def spot():
        return [center[0] + maker.random.uniform(-reach, reach), center[1] + maker.random.uniform(-reach, reach)]

    def of_points(answer):
        return lambda shape: answer(shape.points[0]) if shape.kind == "point" else False

    corners = [spot() for _ in range(maker.random.randint(3, 8))]
    comparison.check({"$geoWithin": {"$polygon": corners}}, of_points(lambda p: inside(p, corners)))
    (x1, y1), (x2, y2) = low, high = spot(), spot()
    comparison.check({"$geoWithin": {"$box": [low, high]}}, of_points(
        lambda p: min(x1, x2) <= p[0] <= max(x1, x2) and min(y1, y2) <= p[1] <= max(y1, y2)))
    radius = maker.random.uniform(0, 2 * reach)
    comparison.check({"$geoWithin": {"$center": [center, radius]}},
                     of_points(lambda p: math.dist(p, center) <= radius))
    flat.check_order({"$near": center, "$maxDistance": radius}, lambda s: math.dist(s.points[0], center), 0, radius)


def main():
    arguments = of_rounds(__doc__, 12)
    client = MongoClient(arguments.address)
    collection = client.geometry.places
    compared = matched = 0
    try:
        for number in range(arguments.rounds):
            maker = Maker(arguments.seed + number)
            center, reach = maker.point(), 10 ** maker.random.uniform(-4, -0.3)
            shapes = [maker.stored(center, reach) for _ in range(150)]
            collection.drop()
            collection.insert_many([{"_id": i, "a": shape.value} for i, shape in enumerate(shapes)])
            collection.create_index([("a", "2dsphere")])  # $near needs one
            comparison = Comparison(collection, shapes)
            flat = Comparison(client.geometry.spots, [shape for shape in shapes if isinstance(shape.value, list)])
            flat.collection.drop()
            flat.collection.create_index([("a", "2d")])
            flat.collection.insert_many([{"_id": i, "a": shape.value} for i, shape in enumerate(flat.shapes)])
            try:
                compare_on_sphere(comparison, maker, center, reach)
                compare_on_plane(comparison, flat, maker, center, reach)
            except AssertionError as error:
                sys.exit(f"not ok - geometry, --seed {arguments.seed + number} --rounds 1: {error}")
            compared += comparison.compared + flat.compared
            matched += comparison.matched
    finally:
        client.drop_database("geometry")
    if not 0.02 < matched / compared < 0.9:
        sys.exit(f"not ok - geometry, --seed {arguments.seed}: {matched} of {compared} matched, which tests little")
    print(f"ok - geometry ({compared} comparisons, {matched} within, seed {arguments.seed})")


if __name__ == "__main__":
    main()
