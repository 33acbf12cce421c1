// Geometry on the sphere by Google's S2 library, as plain functions.
//
// S2 is C++ and ends the process when it is given what it does not accept. So everything that reaches it is checked
// first: a coordinate here, a loop by S2's own validation, which is asked before a loop is used for anything. No
// exception leaves these functions: where memory runs out they say no, or that a shape is not valid.
//
// Coordinates are pairs of longitude and latitude in degrees, distances are angles in radians.
#ifndef CS2_H
#define CS2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Points, lines and polygons that are one geometry. First its parts are added, then it is built; from then on it
/// never changes and may be used by many threads at once.
typedef struct cs2_shape cs2_shape;

/// NULL when there is no memory.
cs2_shape *cs2_shape_create(void);
void cs2_shape_destroy(cs2_shape *shape);

/// False for coordinates that are none, a line of less than two different points, and when there is no memory.
bool cs2_shape_add_point(cs2_shape *shape, double longitude, double latitude);
bool cs2_shape_add_line(cs2_shape *shape, const double *coordinates, size_t point_count);

/// The first ring is the border, the others are holes. Of the two areas that a border divides the sphere into, the
/// smaller one is meant; with `is_strict` that on the left side of the border, and there are no holes.
bool cs2_shape_add_polygon(
    cs2_shape *shape, const double *coordinates, const size_t *ring_point_counts, size_t ring_count, bool is_strict);

/// Checks the parts and builds them. False for a shape that is not valid, with S2's reason in `reason` (which may be
/// NULL): nothing but destroying it is allowed then.
bool cs2_shape_build(cs2_shape *shape, char *reason, size_t reason_size);

/// Whether bounding circles tell that the two have no point in common, before any of them is built.
bool cs2_shape_is_far(const cs2_shape *shape, const cs2_shape *other);

/// Whether some part of one meets some part of the other.
bool cs2_shape_intersects(const cs2_shape *shape, const cs2_shape *other);
bool cs2_shape_intersects_point(const cs2_shape *shape, double longitude, double latitude);

/// Whether each part of `other` lies within some polygon of `region`, its border included for points.
bool cs2_region_contains(const cs2_shape *region, const cs2_shape *other);

/// Whether bounding circles tell that it does not, before `other` is built.
bool cs2_region_cannot_contain(const cs2_shape *region, const cs2_shape *other);

/// Whether the shape lies within the circle, its border included.
bool cs2_circle_contains(double longitude, double latitude, double radius, const cs2_shape *shape);

/// The distance from a point to the nearest point of the shape, 0 within a polygon.
double cs2_shape_distance(const cs2_shape *shape, double longitude, double latitude);

double cs2_distance(double longitude, double latitude, double other_longitude, double other_latitude);

/// Cells of S2 that together cover a built shape and everything up to `margin` around it: about `cells_max` of them, no
/// finer than `finest_level` but where a point is one. Returns how many were written, at least one; when there are more
/// than `capacity` (of at least 6), or no memory, those that cover the whole sphere.
size_t cs2_shape_covering(
    const cs2_shape *shape, size_t cells_max, int finest_level, double margin, uint64_t *ids, size_t capacity);

/// The same of a circle.
size_t cs2_circle_covering(
    double longitude, double latitude, double radius, size_t cells_max, int finest_level, uint64_t *ids,
    size_t capacity);

/// The smallest cell around a point; 0, which is none, for coordinates that are none.
uint64_t cs2_point_cell(double longitude, double latitude);

#ifdef __cplusplus
}
#endif

#endif
