// The parts of a shape. Internal to this target.
#ifndef CS2_PARTS_H
#define CS2_PARTS_H

#include <memory>
#include <string>
#include <vector>

#include <s2/s2cap.h>
#include <s2/s2cell.h>
#include <s2/s2polygon.h>
#include <s2/s2polyline.h>

namespace cs2 {

enum class Kind { point, line, polygon };

struct Part {
    Kind kind = Kind::point;
    /// Holds the whole part; the whole sphere where nothing better is known.
    S2Cap bound = S2Cap::Full();
    /// Of a point its only one, of a line its vertices, of a polygon those of its rings one after the other.
    std::vector<S2Point> vertices;
    /// Where the rings of a polygon end in `vertices`.
    std::vector<size_t> ring_ends;
    bool is_strict = false;
    std::unique_ptr<S2Polyline> line;
    std::unique_ptr<S2Polygon> polygon;

    const S2Point &point() const { return vertices.front(); }
};

bool is_coordinate(double longitude, double latitude);
S2Point to_point(double longitude, double latitude);

/// Appends points; a point that repeats the one before is left out.
bool append_points(std::vector<S2Point> &points, size_t first, const double *coordinates, size_t count);

/// The circle around vertices that lie in one hemisphere, with everything that may lie between them.
S2Cap bound_of(const std::vector<S2Point> &vertices, size_t count);

/// Checks and builds what S2 needs to answer questions about a part.
bool build(Part &part, std::string &reason);

/// Whether a point lies in a part or, up to a centimetre, on it.
bool meets(const Part &part, const S2Point &point);
bool intersects(const Part &part, const Part &other);
bool contains(const Part &region, const Part &other);
bool circle_contains(const S2Point &center, double radius, const Part &part);
double distance(const Part &part, const S2Point &point);
double angle(const S2Point &point, const S2Point &other);

/// Runs what may throw; `fallback` is the answer when it does.
template <typename Result, typename Body>
Result guarded(Result fallback, Body body) noexcept {
    try {
        return body();
    } catch (...) {
        return fallback;
    }
}

}  // namespace cs2

struct cs2_shape {
    std::vector<cs2::Part> parts;
};

#endif
