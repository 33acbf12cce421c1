#include "CS2.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "parts.h"

using cs2::guarded;
using cs2::Kind;
using cs2::Part;

namespace {

Part point_part(double longitude, double latitude) {
    Part part;
    part.vertices.push_back(cs2::to_point(longitude, latitude));
    part.bound = cs2::bound_of(part.vertices, 1);
    return part;
}

/// Appends a closed ring without the repetition of its first point.
bool append_ring(Part &part, const double *coordinates, size_t count) {
    const size_t first = part.vertices.size();
    if (!cs2::append_points(part.vertices, first, coordinates, count)) return false;
    while (part.vertices.size() > first + 1 && part.vertices.back() == part.vertices[first]) part.vertices.pop_back();
    part.ring_ends.push_back(part.vertices.size());
    return part.vertices.size() >= first + 3;
}

void copy_reason(const std::string &reason, char *buffer, size_t size) {
    if (buffer == nullptr || size == 0) return;
    const size_t length = std::min(reason.size(), size - 1);
    std::memcpy(buffer, reason.data(), length);
    buffer[length] = 0;
}

}  // namespace

cs2_shape *cs2_shape_create(void) {
    return guarded<cs2_shape *>(nullptr, [] { return new cs2_shape; });
}

void cs2_shape_destroy(cs2_shape *shape) { delete shape; }

bool cs2_shape_add_point(cs2_shape *shape, double longitude, double latitude) {
    if (!cs2::is_coordinate(longitude, latitude)) return false;
    return guarded(false, [&] {
        shape->parts.push_back(point_part(longitude, latitude));
        return true;
    });
}

bool cs2_shape_add_line(cs2_shape *shape, const double *coordinates, size_t point_count) {
    return guarded(false, [&] {
        Part part;
        part.kind = Kind::line;
        part.vertices.reserve(point_count);
        if (!cs2::append_points(part.vertices, 0, coordinates, point_count)) return false;
        if (part.vertices.size() < 2) return false;
        part.bound = cs2::bound_of(part.vertices, part.vertices.size());
        shape->parts.push_back(std::move(part));
        return true;
    });
}

bool cs2_shape_add_polygon(
    cs2_shape *shape, const double *coordinates, const size_t *ring_point_counts, size_t ring_count, bool is_strict
) {
    if (ring_count == 0 || (is_strict && ring_count > 1)) return false;
    return guarded(false, [&] {
        Part part;
        part.kind = Kind::polygon;
        part.is_strict = is_strict;
        for (size_t ring = 0; ring < ring_count; ring++) {
            if (!append_ring(part, coordinates, ring_point_counts[ring])) return false;
            coordinates += 2 * ring_point_counts[ring];
        }
        if (!is_strict) part.bound = cs2::bound_of(part.vertices, part.ring_ends.front());
        shape->parts.push_back(std::move(part));
        return true;
    });
}

bool cs2_shape_build(cs2_shape *shape, char *reason, size_t reason_size) {
    return guarded(false, [&] {
        std::string text;
        for (Part &part : shape->parts) {
            if (cs2::build(part, text)) continue;
            copy_reason(text, reason, reason_size);
            return false;
        }
        return !shape->parts.empty();
    });
}

bool cs2_shape_is_far(const cs2_shape *shape, const cs2_shape *other) {
    return std::all_of(shape->parts.begin(), shape->parts.end(), [&](const Part &part) {
        return std::none_of(other->parts.begin(), other->parts.end(), [&](const Part &candidate) {
            return part.bound.Intersects(candidate.bound);
        });
    });
}

bool cs2_shape_intersects(const cs2_shape *shape, const cs2_shape *other) {
    return guarded(false, [&] {
        return std::any_of(shape->parts.begin(), shape->parts.end(), [&](const Part &part) {
            return std::any_of(other->parts.begin(), other->parts.end(), [&](const Part &candidate) {
                return cs2::intersects(part, candidate);
            });
        });
    });
}

bool cs2_shape_intersects_point(const cs2_shape *shape, double longitude, double latitude) {
    if (!cs2::is_coordinate(longitude, latitude)) return false;
    return guarded(false, [&] {
        const S2Point point = cs2::to_point(longitude, latitude);
        return std::any_of(shape->parts.begin(), shape->parts.end(), [&](const Part &part) {
            return part.bound.Contains(point) && cs2::meets(part, point);
        });
    });
}

bool cs2_region_contains(const cs2_shape *region, const cs2_shape *other) {
    return guarded(false, [&] {
        return std::all_of(other->parts.begin(), other->parts.end(), [&](const Part &part) {
            return std::any_of(region->parts.begin(), region->parts.end(), [&](const Part &candidate) {
                return cs2::contains(candidate, part);
            });
        });
    });
}

bool cs2_region_cannot_contain(const cs2_shape *region, const cs2_shape *other) {
    return std::any_of(other->parts.begin(), other->parts.end(), [&](const Part &part) {
        return std::none_of(region->parts.begin(), region->parts.end(), [&](const Part &candidate) {
            return part.bound.Intersects(candidate.bound);
        });
    });
}

bool cs2_circle_contains(double longitude, double latitude, double radius, const cs2_shape *shape) {
    if (!cs2::is_coordinate(longitude, latitude)) return false;
    return guarded(false, [&] {
        const S2Point center = cs2::to_point(longitude, latitude);
        return std::all_of(shape->parts.begin(), shape->parts.end(), [&](const Part &part) {
            return cs2::circle_contains(center, radius, part);
        });
    });
}

double cs2_shape_distance(const cs2_shape *shape, double longitude, double latitude) {
    if (!cs2::is_coordinate(longitude, latitude)) return M_PI;
    return guarded(M_PI, [&] {
        const S2Point point = cs2::to_point(longitude, latitude);
        double least = M_PI;
        for (const Part &part : shape->parts) least = std::min(least, cs2::distance(part, point));
        return least;
    });
}

double cs2_distance(double longitude, double latitude, double other_longitude, double other_latitude) {
    return cs2::angle(cs2::to_point(longitude, latitude), cs2::to_point(other_longitude, other_latitude));
}
