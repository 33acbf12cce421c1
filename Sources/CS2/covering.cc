#include <s2/s2cell_id.h>
#include <s2/s2cell_union.h>
#include <s2/s2region_coverer.h>

#include "CS2.h"
#include "parts.h"

using cs2::Kind;
using cs2::Part;

namespace {

/// How much finer than the coarsest cell those may be that are laid around cells for a margin: more of them are more
/// exact.
constexpr int margin_level_difference = 5;

S2CellUnion cover(const S2Region &region, size_t cells_max, int finest_level) {
    S2RegionCoverer::Options options;
    options.set_max_cells(static_cast<int>(cells_max));
    options.set_max_level(finest_level);
    S2RegionCoverer coverer(options);
    return coverer.GetCovering(region);
}

S2CellUnion cover(const Part &part, size_t cells_max, int finest_level) {
    switch (part.kind) {
    case Kind::point: return S2CellUnion::FromVerbatim({S2CellId(part.point())});
    case Kind::line: return cover(*part.line, cells_max, finest_level);
    case Kind::polygon: return cover(*part.polygon, cells_max, finest_level);
    }
    return S2CellUnion();
}

/// Zero when there are more than fit.
size_t write(const S2CellUnion &cells, uint64_t *ids, size_t capacity) {
    if (static_cast<size_t>(cells.num_cells()) > capacity) return 0;
    size_t count = 0;
    for (const S2CellId &cell : cells) ids[count++] = cell.id();
    return count;
}

/// What covers everything.
size_t write_faces(uint64_t *ids, size_t capacity) {
    size_t count = 0;
    for (int face = 0; face < 6 && count < capacity; face++) ids[count++] = S2CellId::FromFace(face).id();
    return count;
}

}  // namespace

size_t cs2_shape_covering(
    const cs2_shape *shape, size_t cells_max, int finest_level, double margin, uint64_t *ids, size_t capacity
) {
    const size_t count = cs2::guarded<size_t>(0, [&] {
        std::vector<S2CellId> all;
        for (const Part &part : shape->parts) {
            const S2CellUnion cells = cover(part, cells_max, finest_level);
            all.insert(all.end(), cells.begin(), cells.end());
        }
        S2CellUnion cells(std::move(all));
        if (margin > 0) cells.Expand(S1Angle::Radians(margin), margin_level_difference);
        if (static_cast<size_t>(cells.num_cells()) > cells_max) cells = cover(cells, cells_max, finest_level);
        return write(cells, ids, capacity);
    });
    return count > 0 ? count : write_faces(ids, capacity);
}

size_t cs2_circle_covering(
    double longitude, double latitude, double radius, size_t cells_max, int finest_level, uint64_t *ids, size_t capacity
) {
    const size_t count = cs2::guarded<size_t>(0, [&]() -> size_t {
        if (!cs2::is_coordinate(longitude, latitude) || !(radius < M_PI)) return 0;
        const S2Cap cap(cs2::to_point(longitude, latitude), S1Angle::Radians(radius));
        return write(cover(cap, cells_max, finest_level), ids, capacity);
    });
    return count > 0 ? count : write_faces(ids, capacity);
}

uint64_t cs2_point_cell(double longitude, double latitude) {
    return cs2::is_coordinate(longitude, latitude) ? S2CellId(cs2::to_point(longitude, latitude)).id() : 0;
}
