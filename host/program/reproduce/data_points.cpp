#include "data_points.hpp"

#include "measure/cell_inputs.hpp"
#include "report.hpp"
#include "results/npz.hpp"

namespace phasegrid::reproduce {

void save_data_points(const Results& results, const std::string& path) {
  const Sweep& sweep = results.sweep;
  const Grid grid(sweep);
  const auto n = static_cast<std::size_t>(sweep.shape.n_features), m = static_cast<std::size_t>(sweep.shape.n_hidden);
  std::vector<float> points, losses;
  std::size_t samples = 0;
  for (std::size_t at = 0; at < results.cells(); ++at) {
    const Cell cell = grid.cell(at);
    const std::vector<float> set = draw_data_set(sweep.shape, cell);
    samples = set.size() / n;
    const ModelView model = kept_model(results, at);
    const std::span<const float> W = model.expert(0);
    double loss = 0;
    for (std::size_t first = 0; first < set.size(); first += n) {
      const auto x = std::span(set).subspan(first, n);
      for (std::size_t h = 0; h < m; ++h) {
        double sum = 0;
        for (std::size_t f = 0; f < n; ++f) sum += static_cast<double>(x[f]) * static_cast<double>(W[f * m + h]);
        points.push_back(static_cast<float>(sum));
      }
      const std::vector<double> out = reconstruct(model, x);
      for (std::size_t f = 0; f < n; ++f) {
        const double error = out[f] - static_cast<double>(x[f]);
        loss += static_cast<double>(cell.importance[f]) * error * error;
      }
    }
    const double per = cell.train.loss == Loss::mean ? static_cast<double>(n) : 1.0;
    losses.push_back(static_cast<float>(loss / static_cast<double>(samples) / per));
  }
  std::vector<std::size_t> shape = grid.extents();
  NpzArrays arrays;
  arrays.emplace_back("training_losses", make_array(losses, shape));
  shape.insert(shape.end(), {samples, m});
  arrays.emplace_back("points", make_array(points, shape));
  const std::vector<std::byte> bytes = npz_bytes(std::move(arrays));
  save_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

}  // namespace phasegrid::reproduce
