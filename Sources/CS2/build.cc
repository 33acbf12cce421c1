#include "parts.h"

#include <algorithm>
#include <cmath>

#include <s2/s2debug.h>
#include <s2/s2error.h>
#include <s2/s2latlng.h>

namespace cs2 {

namespace {

/// S2 would end the process when it meets an invalid loop, also among those that it makes itself.
const bool checks_are_ours = [] {
    FLAGS_s2debug = false;
    return true;
}();

/// Beyond this, circles around vertices say nothing: the shortest way between two of them may leave the circle.
constexpr double convex_radius_max = M_PI_2 - 1e-6;
/// More than all rounding in the making of a bound.
constexpr double bound_margin = 1e-12;

std::unique_ptr<S2Loop> make_loop(const S2Point *begin, const S2Point *end, std::string &reason) {
    auto loop = std::make_unique<S2Loop>();
    loop->set_s2debug_override(S2Debug::DISABLE);
    loop->Init(absl::MakeConstSpan(begin, end - begin));
    S2Error error;
    if (!loop->FindValidationError(&error)) return loop;
    reason = error.text();
    return nullptr;
}

/// The loops of a polygon, oriented, its holes within its border.
bool make_loops(const Part &part, std::vector<std::unique_ptr<S2Loop>> &loops, std::string &reason) {
    size_t begin = 0;
    for (size_t end : part.ring_ends) {
        const S2Point *vertices = part.vertices.data();
        auto loop = make_loop(vertices + begin, vertices + end, reason);
        if (!loop) return false;
        if (!part.is_strict) loop->Normalize();
        if (!loops.empty() && !loops.front()->Contains(*loop)) {
            reason = "a hole is not contained by the first loop";
            return false;
        }
        loops.push_back(std::move(loop));
        begin = end;
    }
    return true;
}

bool build_polygon(Part &part, std::string &reason) {
    std::vector<std::unique_ptr<S2Loop>> loops;
    if (!make_loops(part, loops, reason)) return false;
    auto polygon = std::make_unique<S2Polygon>();
    polygon->set_s2debug_override(S2Debug::DISABLE);
    polygon->InitNested(std::move(loops));
    S2Error error;
    if (polygon->FindValidationError(&error)) {
        reason = error.text();
        return false;
    }
    if (!polygon->IsNormalized()) {
        reason = "its loops share more than one vertex";
        return false;
    }
    part.polygon = std::move(polygon);
    return true;
}

bool build_line(Part &part, std::string &reason) {
    auto line = std::make_unique<S2Polyline>();
    line->set_s2debug_override(S2Debug::DISABLE);
    line->Init(absl::MakeConstSpan(part.vertices));
    S2Error error;
    if (line->FindValidationError(&error)) {
        reason = error.text();
        return false;
    }
    part.line = std::move(line);
    return true;
}

}  // namespace

bool is_coordinate(double longitude, double latitude) {
    // False for NaN as well.
    return std::fabs(longitude) <= 180 && std::fabs(latitude) <= 90;
}

S2Point to_point(double longitude, double latitude) {
    return S2LatLng::FromDegrees(latitude, longitude).ToPoint();
}

bool append_points(std::vector<S2Point> &points, size_t first, const double *coordinates, size_t count) {
    for (size_t index = 0; index < count; index++) {
        const double longitude = coordinates[2 * index], latitude = coordinates[2 * index + 1];
        if (!is_coordinate(longitude, latitude)) return false;
        const S2Point point = to_point(longitude, latitude);
        if (points.size() > first && points.back() == point) continue;
        points.push_back(point);
    }
    return true;
}

S2Cap bound_of(const std::vector<S2Point> &vertices, size_t count) {
    S2Point sum(0, 0, 0);
    for (size_t index = 0; index < count; index++) sum += vertices[index];
    if (sum.Norm() < 1e-9 * static_cast<double>(count)) return S2Cap::Full();
    const S2Point center = sum.Normalize();
    double radius = 0;
    for (size_t index = 0; index < count; index++) radius = std::max(radius, angle(center, vertices[index]));
    if (radius > convex_radius_max) return S2Cap::Full();
    return S2Cap(center, S1Angle::Radians(radius + bound_margin));
}

bool build(Part &part, std::string &reason) {
    switch (part.kind) {
    case Kind::point: return true;
    case Kind::line: return build_line(part, reason);
    case Kind::polygon: return build_polygon(part, reason);
    }
    return false;
}

}  // namespace cs2
