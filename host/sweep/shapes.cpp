#include "shapes.hpp"

#include <algorithm>
#include <limits>

#include "sweep_check.hpp"

namespace phasegrid {
namespace {

// The axes that change a shape, in the order of AxisName.
struct ShapeAxis {
  AxisName name;
  int Shape::* number;
};
constexpr ShapeAxis kShapeAxes[] = {{AxisName::n_hidden, &Shape::n_hidden},
                                    {AxisName::n_experts, &Shape::n_experts},
                                    {AxisName::top_k, &Shape::top_k}};

// Numbers of a model of shape `own` that lie together among those of shape `large`, too: visit(in own, in large, count).
template <class Visit>
void each_run(const Shape& own, const Shape& large, Visit&& visit) {
  for (const Part& part : own.parts()) {
    const Part room = large.part(part.kind);
    const int width = part.rank == 3 ? part.extents[2] : 1, room_width = room.rank == 3 ? room.extents[2] : 1;
    for (int row = 0; row < part.size() / width; ++row) {  // experts and features; these are as many in both
      visit(part.offset + row * width, room.offset + row * room_width, width);
    }
  }
}

// move(model, moved) for each model whose shape is not the largest, and what is to take its place.
template <class Move>
void relay(const Sweep& sweep, std::span<float> models, std::size_t each, std::size_t first, Move&& move) {
  if (!has_shape_axes(sweep)) return;
  const auto room = static_cast<std::size_t>(sweep.shape.parameter_count());
  std::vector<float> moved(room);
  for (std::size_t at = 0; at < models.size(); at += room) {
    const Shape own = sweep.shape_of(first + at / room / each);
    if (own.n_hidden == sweep.shape.n_hidden && own.n_experts == sweep.shape.n_experts) continue;
    std::ranges::fill(moved, std::numeric_limits<float>::quiet_NaN());
    const auto model = models.subspan(at, room);
    if (has_models(own)) move(own, model, std::span(moved));
    std::ranges::copy(moved, model.begin());
  }
}

}  // namespace

bool has_shape_axes(const Sweep& sweep) {
  return std::ranges::any_of(kShapeAxes, [&](const ShapeAxis& axis) { return find_axis(sweep, axis.name) != nullptr; });
}

Sweep with_largest_shape(Sweep sweep) {
  for (const auto& [name, number] : kShapeAxes) {
    const Axis* axis = find_axis(sweep, name);
    if (axis == nullptr) continue;
    double most = 1;  // values need not be checked yet
    for (const double value : axis->values) most = value > most ? value : most;
    sweep.shape.*number = static_cast<int>(std::min(most, 1e6));
  }
  return sweep;
}

Shape Sweep::shape_of(std::size_t cell) const {
  Shape own = shape;
  if (!has_shape_axes(*this)) return own;
  for (int i = kAxisNames; i-- > 0;) {
    const Axis* axis = find_axis(*this, static_cast<AxisName>(i));
    if (axis == nullptr) continue;
    for (const ShapeAxis& shaping : kShapeAxes) {
      if (shaping.name == axis->name) own.*shaping.number = static_cast<int>(axis->values[cell % axis->values.size()]);
    }
    cell /= axis->values.size();
  }
  return own;
}

std::size_t count_shapes(const Sweep& sweep) {
  std::size_t count = 1;
  for (const auto& [name, number] : kShapeAxes) {
    const Axis* axis = find_axis(sweep, name);
    if (axis != nullptr) count = std::min(count * std::min(axis->values.size(), kMostShapes + 1), kMostShapes + 1);
  }
  return count;
}

std::size_t count_cells(const Sweep& sweep) {
  std::size_t cells = 1;
  for (const Axis& axis : sweep.axes) cells *= axis.values.size();
  return cells;
}

std::size_t count_cells_with_models(const Sweep& sweep) {
  const std::vector<Shape> shapes = shapes_of(sweep);  // each in equally many cells
  return count_cells(sweep) / shapes.size() * static_cast<std::size_t>(std::ranges::count_if(shapes, has_models));
}

std::vector<Shape> shapes_of(const Sweep& sweep) {
  std::vector<Shape> shapes = {sweep.shape};
  for (const auto& [name, number] : kShapeAxes) {
    const Axis* axis = find_axis(sweep, name);
    if (axis == nullptr) continue;
    std::vector<Shape> more;
    for (const Shape& shape : shapes) {
      for (const double value : axis->values) {
        more.push_back(shape);
        more.back().*number = static_cast<int>(value);
      }
    }
    shapes = std::move(more);
  }
  return shapes;
}

std::vector<SweepPart> parts_of_one_shape(const Sweep& sweep) {
  if (!has_shape_axes(sweep)) return {{sweep, {}}};
  std::vector<SweepPart> parts;
  for (const Shape& shape : shapes_of(sweep)) {
    SweepPart part{sweep, {}};
    part.sweep.shape = shape;
    std::erase_if(part.sweep.axes, [](const Axis& axis) {
      return std::ranges::find(kShapeAxes, axis.name, &ShapeAxis::name) != std::end(kShapeAxes);
    });
    parts.push_back(std::move(part));
  }
  for (std::size_t cell = 0; cell < count_cells(sweep); ++cell) {
    const Shape shape = sweep.shape_of(cell);
    std::ranges::find_if(parts, [&](const SweepPart& part) { return part.sweep.shape == shape; })->cells.push_back(cell);
  }
  std::erase_if(parts, [](const SweepPart& part) { return !has_models(part.sweep.shape); });
  return parts;
}

std::vector<float> spread_out(const Sweep& sweep, std::span<const float> models, std::size_t each, std::size_t first) {
  std::vector<float> spread(models.begin(), models.end());
  relay(sweep, spread, each, first, [&](const Shape& own, std::span<float> model, std::span<float> moved) {
    each_run(own, sweep.shape, [&](int at, int to, int count) {
      std::copy_n(model.begin() + at, count, moved.begin() + to);
    });
  });
  return spread;
}

void gather(const Sweep& sweep, std::span<float> models, std::size_t each, std::size_t first) {
  relay(sweep, models, each, first, [&](const Shape& own, std::span<float> model, std::span<float> moved) {
    each_run(own, sweep.shape, [&](int to, int at, int count) {
      std::copy_n(model.begin() + at, count, moved.begin() + to);
    });
  });
}

}  // namespace phasegrid
