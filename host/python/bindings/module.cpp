#include "bindings.hpp"

NB_MODULE(_core, module) {
  using namespace phasegrid;
  module.doc() = "The compiled part of phasegrid; use the names of the package phasegrid instead.";
  nanobind::register_exception_translator([](const std::exception_ptr& error, void*) {
    try {
      std::rethrow_exception(error);
    } catch (const InputError& input) {
      PyErr_SetString(PyExc_ValueError, input.what());
    }
  });
  python::bind_sweep(module);
  python::bind_results(module);
  python::bind_metrics(module);
  python::bind_train(module);
  module.def("devices", &describe_devices, "One line a device: what it offers, or why it cannot be used.");
  module.attr("version") = std::string(version());
}
