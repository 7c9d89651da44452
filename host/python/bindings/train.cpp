// Training from Python: without the GIL, but for a few callbacks a second, which also look for Ctrl-C.
#include <exception>
#include <optional>

#include "bindings.hpp"
#include "phasegrid/error.hpp"
#include "train/training_files.hpp"

namespace phasegrid::python {
namespace {

// What Python said during a training: nothing, Ctrl-C, or an exception of a callback.
class Listener {
 public:
  std::stop_token token() const { return source_.get_token(); }
  bool interrupted() const { return interrupted_; }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

  // Runs call() with the GIL. After Ctrl-C or an exception the training ends and nothing more is called.
  template <class Call>
  void run(Call&& call) {
    if (source_.stop_requested()) return;
    const nb::gil_scoped_acquire acquire;
    if (listen([&] {
          check();
          call();
        })) {
      return;
    }
    source_.request_stop();
  }

  // After the training, with the GIL: Ctrl-C while it ended or was saved is a request to stop like any other, and a
  // repeat is the same request. Left to Python, either would be raised in place of what carries the results.
  void check_signals() { listen(check); }

 private:
  static void check() {
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
  }
  // False, and what was thrown is noted, where it throws.
  template <class Call>
  bool listen(Call&& call) {
    try {
      call();
      return true;
    } catch (nb::python_error& error) {
      if (error.matches(PyExc_KeyboardInterrupt)) {
        interrupted_ = true;
      } else {
        failure_ = std::current_exception();
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
    return false;
  }

  std::stop_source source_;
  bool interrupted_ = false;
  std::exception_ptr failure_;
};

DeviceChoice device_of(const std::string& word) {
  if (word == "auto") return DeviceChoice::automatic;
  if (word == "cpu") return DeviceChoice::cpu;
  if (word == "cuda") return DeviceChoice::cuda;
  throw InputError("device must be one of auto, cpu, cuda, not '" + word + "'");
}

InstructionSet set_of(const std::string& word) {
  if (word == "auto") return InstructionSet::automatic;
  for (const InstructionSet set : {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (word == to_string(set)) return set;
  }
  throw InputError("instruction_set must be one of auto, baseline, avx2, avx512, not '" + word + "'");
}

// (results, interrupted, why they are not in the files or ""). progress(models_done, models_total, share_done, seconds) may
// be None; so may files.
nb::typed<nb::tuple, nb::typed<nb::list, Results>, bool, std::string> train_sweeps(const std::vector<Sweep>& sweeps, const std::string& device, int threads,
                       const std::string& instruction_set, nb::object progress, TrainingFiles* files,
                       double checkpoint_seconds, const std::vector<const Results*>& resume, const std::string& shard,
                       const std::vector<nb::ndarray<const float, nb::c_contig, nb::device::cpu>>& initial,
                       const std::vector<std::optional<const Results*>>& shorter) {
  Listener listener;
  TrainOptions options;
  options.device = device_of(device);
  options.threads = threads;
  options.instruction_set = set_of(instruction_set);
  options.stop = listener.token();
  options.checkpoint_seconds = checkpoint_seconds;
  options.shard = parse_shard(shard);
  std::vector<std::vector<float>> starts;
  for (const auto& models : initial) starts.emplace_back(models.data(), models.data() + models.size());
  options.initial = starts;
  options.progress = [&](const Progress& p) {
    listener.run([&] {
      if (!progress.is_none()) progress(p.models_done, p.models_total, p.share_done, p.seconds);
    });
  };
  const auto warn = [&](const std::string& sentence) {
    listener.run([&] {
      if (PyErr_WarnEx(PyExc_RuntimeWarning, sentence.c_str(), 2) != 0) throw nb::python_error();
    });
  };
  options.warning = warn;
  if (files != nullptr) {
    options.checkpoint = [&](std::span<const Results> so_far) {
      try {
        files->save(so_far);
      } catch (const InputError& error) {  // the training is worth more than its checkpoint
        warn(std::string("no checkpoint: ") + error.what());
      }
    };
  }
  std::vector<Results> earlier;
  for (const Results* results : resume) earlier.push_back(*results);
  options.resume = earlier;
  std::vector<Results> begun;
  for (const auto& results : shorter) begun.push_back(results && *results != nullptr ? **results : Results());
  options.shorter = begun;
  std::vector<Results> trained;
  std::string unsaved;
  {
    const nb::gil_scoped_release release;
    trained = train(sweeps, options);
    try {
      if (files != nullptr) files->save(trained);
    } catch (const InputError& error) {  // and they are worth more than their files
      unsaved = error.what();
    }
  }
  listener.check_signals();
  listener.rethrow();
  nb::list list;
  for (Results& results : trained) list.append(nb::cast(std::move(results)));
  return nb::make_tuple(list, listener.interrupted(), unsaved);
}

}  // namespace

void bind_train(nb::module_& module) {
  nb::class_<TrainingFiles>(module, "TrainingFiles", "The results files of a training, and what is saved beside them.")
      .def(
          "__init__",
          [](TrainingFiles* self, std::vector<Sweep> sweeps, std::vector<std::string> paths, const std::string& shard,
             bool fresh) {
            const TrainingFilesOptions options{.shard = parse_shard(shard), .fresh = fresh, .fresh_is = "fresh=True"};
            new (self) TrainingFiles(std::move(sweeps), std::move(paths), options);
          },
          nb::arg("sweeps"), nb::arg("paths"), nb::arg("shard"), nb::arg("fresh"))
      .def("take_earlier", &TrainingFiles::take_earlier, nb::call_guard<nb::gil_scoped_release>(),
           "What earlier trainings of the same sweeps left, one entry a sweep; once.")
      .def_prop_ro("all_finished", &TrainingFiles::all_finished)
      .def(
          "save",
          [](TrainingFiles& self, const std::vector<const Results*>& so_far) {
            std::vector<Results> results;
            for (const Results* one : so_far) results.push_back(*one);
            const nb::gil_scoped_release release;
            self.save(results);
          },
          nb::arg("so_far"), "Saves what is finished, one entry a sweep.")
      .def("place", &TrainingFiles::place, nb::arg("sweep"), "The file that has a sweep's models now; '' where none has.")
      .def("close", &TrainingFiles::close, "Lets go of the files, for another training.");
  module.def("train", &train_sweeps, nb::arg("sweeps"), nb::arg("device"), nb::arg("threads"),
             nb::arg("instruction_set"), nb::arg("progress").none(), nb::arg("files").none(),
             nb::arg("checkpoint_seconds"), nb::arg("resume"), nb::arg("shard"), nb::arg("initial"),
             nb::arg("shorter") = std::vector<std::optional<const Results*>>(),
             "(results, interrupted, why they are not in the files or '') of the sweeps.");
}

}  // namespace phasegrid::python
