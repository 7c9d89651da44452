#include "near_names.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace phasegrid {
namespace {

// What other programs, papers and habits call a setting or option, and what it is called here. Lower case, with '_'.
constexpr std::pair<std::string_view, std::string_view> kOtherWords[] = {
    {"n", "n_features"},
    {"features", "n_features"},
    {"num_features", "n_features"},
    {"inputs", "n_features"},
    {"n_inputs", "n_features"},
    {"input_dim", "n_features"},
    {"d_input", "n_features"},
    {"m", "n_hidden"},
    {"hidden", "n_hidden"},
    {"hidden_size", "n_hidden"},
    {"hidden_dim", "n_hidden"},
    {"hidden_units", "n_hidden"},
    {"num_hidden", "n_hidden"},
    {"d_hidden", "n_hidden"},
    {"width", "n_hidden"},
    {"e", "n_experts"},
    {"experts", "n_experts"},
    {"num_experts", "n_experts"},
    {"k", "top_k"},
    {"topk", "top_k"},
    {"n_active", "top_k"},
    {"s", "sparsity"},
    {"sparsities", "sparsity"},
    {"importances", "importance"},
    {"relative_importance", "last_importance"},
    {"r", "last_importance"},
    {"router", "router_init"},
    {"router_init", "router"},
    {"init_router", "router_init"},
    {"bias", "bias_init"},
    {"bias_init", "bias"},
    {"init_bias", "bias_init"},
    {"epochs", "steps"},
    {"n_epochs", "steps"},
    {"num_epochs", "steps"},
    {"iterations", "steps"},
    {"n_iter", "steps"},
    {"max_iter", "steps"},
    {"n_steps", "steps"},
    {"num_steps", "steps"},
    {"max_steps", "steps"},
    {"train_steps", "steps"},
    {"training_steps", "steps"},
    {"batch_size", "batch"},
    {"bs", "batch"},
    {"lr", "learning_rate"},
    {"eta", "learning_rate"},
    {"step_size", "learning_rate"},
    {"wd", "weight_decay"},
    {"l2", "weight_decay"},
    {"decay", "weight_decay"},
    {"alpha", "load_balance"},
    {"balance", "load_balance"},
    {"load_balancing", "load_balance"},
    {"load_balance_loss", "load_balance"},
    {"aux_loss", "load_balance"},
    {"criterion", "loss"},
    {"loss_fn", "loss"},
    {"lr_schedule", "schedule"},
    {"lr_scheduler", "schedule"},
    {"scheduler", "schedule"},
    {"save_steps", "snapshots"},
    {"repeats", "restarts"},
    {"runs", "restarts"},
    {"instances", "restarts"},
    {"n_instances", "restarts"},
    {"n_models", "restarts"},
    {"n_restarts", "restarts"},
    {"random_state", "seed"},
    {"random_seed", "seed"},
    {"gpu", "device"},
    {"n_jobs", "threads"},
    {"jobs", "threads"},
    {"workers", "threads"},
    {"num_workers", "threads"},
    {"num_threads", "threads"},
    {"n_threads", "threads"},
    {"verbose", "progress"},
    {"output", "out"},
    {"o", "out"},
    {"path", "out"},
};

std::string_view last_part(std::string_view name) { return name.substr(name.find_last_of('.') + 1); }

// Without the table in front, the dashes of an option, capitals.
std::string plain(std::string_view word) {
  std::string text(last_part(word));
  text.erase(0, text.find_first_not_of('-'));
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return text;
}

// Letters to insert, leave out, replace, or swap with their neighbour (optimal string alignment).
std::size_t slips(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t other = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + other});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(std::string_view word, std::span<const std::string_view> names) {
  constexpr std::size_t kLongest = 40;  // no name is longer
  const std::string written = plain(word);
  if (written.empty() || written.size() > kLongest) return "";
  const auto named = [&](std::string_view target) {
    return std::ranges::find_if(names, [&](std::string_view name) { return plain(name) == target; });
  };
  if (const auto same = named(written); same != names.end()) return std::string(*same);
  for (const auto& [other, ours] : kOtherWords) {
    if (other != written) continue;
    if (const auto meant = named(ours); meant != names.end()) return std::string(*meant);
  }
  if (written.size() >= 2) {
    const auto longer =
        std::ranges::find_if(names, [&](std::string_view name) { return plain(name).starts_with(written); });
    if (longer != names.end()) return std::string(*longer);
  }
  std::string_view best;
  std::size_t fewest = written.size() / 3 + (written.size() < 3 ? 0 : 1);  // more slips than that are another word
  for (const std::string_view name : names) {
    const std::size_t needed = slips(written, plain(name));
    if (needed < fewest && needed < last_part(name).size()) best = name, fewest = needed;
  }
  return std::string(best);
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> names) {
  const std::string name = nearest_name(word, names);
  return name.empty() ? "" : "; did you mean " + name;
}

}  // namespace phasegrid
