#include "parts.h"

#include <algorithm>
#include <cmath>

#include <s2/s2edge_distances.h>

namespace cs2 {

namespace {

/// How far a line may leave a polygon that contains it: rounding along a shared border.
const S1Angle containment_tolerance = S1Angle::Degrees(1e-10);
/// Rounding of an angle between two points that were given in degrees.
constexpr double angle_margin = 1e-15;

/// A point stands for the smallest cell around it, about a centimetre wide, so that a line can meet it.
bool meets_cell(const Part &part, const S2Point &point) {
    if (part.kind == Kind::point) {
        return S2CellId(part.point()) == S2CellId(point) || angle(part.point(), point) <= angle_margin;
    }
    const S2Cell cell(point);
    return part.kind == Kind::line ? part.line->MayIntersect(cell) : part.polygon->MayIntersect(cell);
}

bool meets_line(const Part &part, const S2Polyline &line) {
    return part.kind == Kind::line ? part.line->Intersects(line) : part.polygon->Intersects(line);
}

/// The least distance from `point` to the edges of a chain of vertices.
double chain_distance(const S2Point &point, const S2Point *begin, const S2Point *end, bool is_closed) {
    double least = M_PI;
    const S2Point *previous = is_closed ? end - 1 : begin;
    for (const S2Point *vertex = begin; vertex != end; previous = vertex++) {
        least = std::min(least, S2::GetDistance(point, *previous, *vertex).radians());
    }
    return least;
}

double border_distance(const Part &part, const S2Point &point) {
    const S2Point *vertices = part.vertices.data();
    if (part.kind == Kind::line) return chain_distance(point, vertices, vertices + part.vertices.size(), false);
    double least = M_PI;
    size_t begin = 0;
    for (size_t end : part.ring_ends) {
        least = std::min(least, chain_distance(point, vertices + begin, vertices + end, true));
        begin = end;
    }
    return least;
}

/// A circle up to a hemisphere contains the shortest way between two points that it contains; of a larger one the rest
/// of the sphere is such a circle, which the part must not meet.
bool circle_contains_border(const S2Point &center, double radius, const Part &part) {
    if (radius > M_PI_2) return border_distance(part, -center) >= M_PI - radius - angle_margin;
    return std::all_of(part.vertices.begin(), part.vertices.end(), [&](const S2Point &vertex) {
        return angle(center, vertex) <= radius + angle_margin;
    });
}

}  // namespace

bool meets(const Part &part, const S2Point &point) {
    // Within is found out faster than on the border.
    if (part.kind == Kind::polygon && part.polygon->Contains(point)) return true;
    return meets_cell(part, point);
}

double angle(const S2Point &point, const S2Point &other) { return point.Angle(other); }

bool intersects(const Part &part, const Part &other) {
    if (!part.bound.Intersects(other.bound)) return false;
    if (other.kind == Kind::point) return meets(part, other.point());
    if (part.kind == Kind::point) return meets(other, part.point());
    if (other.kind == Kind::line) return meets_line(part, *other.line);
    if (part.kind == Kind::line) return meets_line(other, *part.line);
    return part.polygon->Intersects(*other.polygon);
}

bool contains(const Part &region, const Part &other) {
    if (region.kind != Kind::polygon || !region.bound.Intersects(other.bound)) return false;
    switch (other.kind) {
    case Kind::point: return meets(region, other.point());
    case Kind::line: return region.polygon->ApproxContains(*other.line, containment_tolerance);
    case Kind::polygon: return region.polygon->Contains(*other.polygon);
    }
    return false;
}

bool circle_contains(const S2Point &center, double radius, const Part &part) {
    if (radius >= M_PI) return true;
    if (part.kind == Kind::point) return angle(center, part.point()) <= radius + angle_margin;
    if (!circle_contains_border(center, radius, part)) return false;
    return part.kind == Kind::line || !part.polygon->Contains(S2Point(-center));
}

double distance(const Part &part, const S2Point &point) {
    switch (part.kind) {
    case Kind::point: return angle(part.point(), point);
    case Kind::line: return border_distance(part, point);
    case Kind::polygon: return part.polygon->Contains(point) ? 0 : border_distance(part, point);
    }
    return M_PI;
}

}  // namespace cs2
