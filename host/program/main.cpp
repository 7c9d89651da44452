// The program: reads the command line and calls a command.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <map>
#include <new>
#include <sstream>

#include "commands.hpp"
#include "text/near_names.hpp"
#include "program/io/output.hpp"

namespace phasegrid {
namespace {

// An option whose value is one of some names.
template <class Choice>
CLI::Option* add_choice(CLI::App& app, const std::string& flag, Choice& into, const std::string& help,
                        const std::map<std::string, Choice>& choices) {
  std::vector<std::string> names;
  for (const auto& [name, choice] : choices) names.push_back(name);
  return app
      .add_option_function<std::string>(
          flag, [&into, choices](const std::string& name) { into = choices.at(name); }, help)
      ->check(CLI::IsMember(names));
}

// CLI::Range lets NaN through, for no comparison with it holds.
CLI::Validator in_range(double least, double most) {
  auto check = [least, most](const std::string& text) {
    double value = std::nan("");
    const bool number = CLI::detail::lexical_cast(text, value);
    return number && value >= least && value <= most
               ? std::string()
               : fmt::format("must be a number from {} to {}, not '{}'", least, most, text);
  };
  return {check, fmt::format("NUMBER in [{} - {}]", least, most)};
}

void add_device(CLI::App& app, DeviceChoice& into) {
  add_choice<DeviceChoice>(
      app, "--device", into, "What to train on; auto is a GPU where there is one",
      {{"auto", DeviceChoice::automatic}, {"cpu", DeviceChoice::cpu}, {"cuda", DeviceChoice::cuda}});
}

void add_training_options(CLI::App& app, TrainingArguments& arguments) {
  app.add_option("--set", arguments.set, "Change a setting: PATH=TOML-VALUE, e.g. train.steps=100")
      ->take_all()
      ->allow_extra_args(false);
  app.add_option("--seed", arguments.seed, "Seed, instead of the sweep's")->check(CLI::NonNegativeNumber);
  add_device(app, arguments.device);
  app.add_option("--threads", arguments.threads, "CPU threads; 0 is one a core");
  add_choice<InstructionSet>(app, "--isa", arguments.instruction_set, "CPU instruction set; all give the same bits",
                             {{"auto", InstructionSet::automatic},
                              {"baseline", InstructionSet::baseline},
                              {"avx2", InstructionSet::avx2},
                              {"avx512", InstructionSet::avx512}});
  add_choice<ProgressMode>(app, "--progress", arguments.progress, "The progress line; auto is on a terminal",
                           {{"auto", ProgressMode::automatic}, {"on", ProgressMode::on}, {"off", ProgressMode::off}});
  app.add_option("--checkpoint-seconds", arguments.checkpoint_seconds,
                 "How often what is finished is saved to NAME.npz.partial, until the results file is whole")
      ->check(in_range(0.1, 86400))
      ->capture_default_str();
  app.add_flag("--fresh", arguments.fresh,
               "Train every model, also where a results file or .partial of the same sweep has it already; a results "
               "file is replaced when the new one is whole");
}

// A word of the command line for a message, which is one line.
std::string shown(std::string_view word) {
  std::string text(word.substr(0, 60));
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return text;
}

// What is wrong with a command line that CLI11 cannot read, with the command or option that was meant.
std::string sentence_for(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  std::vector<std::string_view> commands;
  const CLI::App* chosen = &app;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
    if (command->parsed()) chosen = command;
  }
  if (argc <= 1) return fmt::format("a command must be given: {}", fmt::join(commands, ", "));
  if (chosen == &app && argv[1][0] != '-') {
    return fmt::format("there is no command '{}'{}; there are {}", shown(argv[1]), did_you_mean(argv[1], commands),
                       fmt::join(commands, ", "));
  }
  std::vector<std::string> names;
  for (const CLI::Option* option : chosen->get_options()) names.push_back(option->get_name());
  const std::vector<std::string_view> options(names.begin(), names.end());
  for (const std::string& word : chosen->remaining()) {
    if (!word.starts_with("--")) continue;
    const std::string option = word.substr(0, word.find('='));
    return fmt::format("there is no option '{}'{}", shown(option), did_you_mean(option, options));
  }
  return error.what();
}

int run(int argc, char** argv) {
  CLI::App app{"phasegrid: trains tiny mixture-of-experts autoencoders by the thousand and maps phase diagrams"};
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done; 1 out of tolerance, or failed; 2 bad input; 3 done, but something that it had to say could "
      "not be\nwritten; 130 stopped by Ctrl-C, SIGTERM or SIGHUP, what was finished is saved.");
  app.set_version_flag("--version", std::string("phasegrid ") + std::string(version()));
  int status = 0;

  RunArguments run_arguments;
  CLI::App* run = app.add_subcommand("run", "Train sweeps and write their results (.npz)");
  run->add_option("sweeps", run_arguments.sweeps, "Sweep files (TOML)")->required();
  run->add_option("--out", run_arguments.out,
                  "Results file, written when every model is trained; a folder when there are several sweeps; NAME.zarr for "
                  "results larger than memory")
      ->required();
  add_choice<Layout>(*run, "--layout", run_arguments.training.layout, "Keys of the results file: ours, or the authors'",
                     {{"phasegrid", Layout::phasegrid}, {"authors", Layout::authors}});
  run->add_option("--preset", run_arguments.training.preset, "A [presets.NAME] of the sweep file");
  run->add_option("--variant", run_arguments.training.variant,
                  "A [variants.NAME] of the sweep file; without it, all of them");
  run->add_option_function<std::string>(
         "--shard", [&](const std::string& text) { run_arguments.training.shard = parse_shard(text); },
         "Train share I of N (1/N .. N/N) into NAME.shard-I-of-N.npz; `phasegrid merge` puts the files together")
      ->type_name("I/N");
  run->add_option("--resume", run_arguments.resume,
                  "Results file of a smaller sweep: fewer restarts, other values on axes, or fewer steps with train.keep "
                  "\"training-state\". What it has is not trained again");
  add_training_options(*run, run_arguments.training);
  run->callback([&] { status = command_run(run_arguments); });

  MergeArguments merge_arguments;
  CLI::App* merge = app.add_subcommand("merge", "Put the results files of shards together");
  merge->add_option("parts", merge_arguments.parts, "Results files (.npz) of the shards")->required();
  merge->add_option("--out", merge_arguments.out, "Results file; a folder when there are shards of several sweeps")
      ->required();
  add_choice<Layout>(*merge, "--layout", merge_arguments.layout, "Keys of the results file: ours, or the authors'",
                     {{"phasegrid", Layout::phasegrid}, {"authors", Layout::authors}});
  merge->add_flag("--partial", merge_arguments.partial, "Write the file although models are missing");
  merge->callback([&] { status = command_merge(merge_arguments); });

  CompareArguments compare_arguments;
  CLI::App* compare = app.add_subcommand("compare", "Hold results against reference results; exit 1 when they differ");
  compare->add_option("ours", compare_arguments.ours, "Results (.npz)")->required();
  compare->add_option("reference", compare_arguments.reference, "Reference results (.npz), ours or the authors'")
      ->required();
  compare->add_flag("--markdown", compare_arguments.markdown, "Print the table as Markdown");
  compare->callback([&] { status = command_compare(compare_arguments); });

  ExploreArguments explore_arguments;
  CLI::App* explore = app.add_subcommand("explore", "Write results as one HTML page to explore in a browser");
  explore->add_option("files", explore_arguments.files, "Results (.npz), ours or the authors'");
  explore->add_option("--out", explore_arguments.out, "The page (.html; replaced where it exists), or the folder of a site")
      ->required();
  explore->add_option("--title", explore_arguments.title, "Heading of the page; the names of the results without it");
  explore->add_option("--gallery", explore_arguments.gallery,
                      "Write the works of this folder, which `phasegrid reproduce field` made, as a static site");
  explore->callback([&] { status = command_explore(explore_arguments); });

  CLI::App* refine = app.add_subcommand(
      "refine", "Train a coarse grid, then cells between cells that differ: SWEEP.toml --out FILE.npz (refine --help)");
  refine->prefix_command();  // the Python package reads the words
  refine->set_help_flag();
  refine->callback([&] { status = command_refine(refine->remaining()); });

  ReproduceArguments reproduce_arguments;
  reproduce_arguments.training.preset = "quick";
  CLI::App* reproduce = app.add_subcommand("reproduce", "Train, check and draw a figure of the paper, or works of the field");
  reproduce
      ->add_option("figure", reproduce_arguments.figure,
                   "fig1 to fig8 (fig4 and fig8 are one), table1, a2, a3, findings (readings that differ beyond the "
                   "figures), all of these, which writes REPRODUCTION.md, or field: other people's works on toy "
                   "models, which writes FIELD.md")
      ->required()
      ->check(CLI::IsMember(
          {"fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8", "table1", "a2", "a3", "findings", "all", "field"}));
  reproduce->add_option("--preset", reproduce_arguments.training.preset, "quick or paper")
      ->check(CLI::IsMember({"quick", "paper"}))
      ->capture_default_str();
  reproduce->add_option("--out", reproduce_arguments.out, "Folder to write to (default out/FIGURE)");
  reproduce->add_option("--reference", reproduce_arguments.reference, "Folder with the authors' files to compare, fig4_212.npz or 212.npz");
  reproduce->add_option("--score", reproduce_arguments.score, "Superposition score: paper's formula or authors' code")
      ->check(CLI::IsMember({"paper", "authors"}))
      ->capture_default_str();
  reproduce
      ->add_option("--work", reproduce_arguments.works, "A work of the field (may be given several times); all without it")
      ->check(CLI::IsMember(works_of_the_field()));
  add_training_options(*reproduce, reproduce_arguments.training);
  reproduce->callback([&] { status = command_reproduce(reproduce_arguments); });

  DeviceChoice tested = DeviceChoice::automatic;
  CLI::App* selftest =
      app.add_subcommand("selftest", "Check that every device of this machine gives the same bits, and time each; a minute");
  add_device(*selftest, tested);
  selftest->callback([&] { status = command_selftest(tested); });

  SettingsArguments settings_arguments;
  CLI::App* settings = app.add_subcommand("settings", "List every setting of a sweep with its default");
  CLI::Option* json = settings->add_flag("--json", settings_arguments.json, "As JSON, for other programs");
  settings->add_flag("--markdown", settings_arguments.markdown, "As a table of Markdown")->excludes(json);
  settings->callback([&] { status = command_settings(settings_arguments); });

  CLI::App* devices = app.add_subcommand("devices", "Say what this machine and build can train on");
  devices->callback([] {
    for (const std::string& line : describe_devices()) say(stdout, "{}\n", line);
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream text;
      app.exit(error, text, text);
      write_text(stdout, text.str());
      return 0;
    }
    throw InputError(
        fmt::format("{} (phasegrid --help lists commands and options)", sentence_for(app, error, argc, argv)));
  }
  return status;
}

int run_reporting_errors(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const InputError& error) {
    say(stderr, "phasegrid: {}\n", error.what());
    return 2;
  } catch (const std::bad_alloc&) {
    say(stderr, "phasegrid: not enough memory for this sweep; use fewer cells or restarts\n");
    return 1;
  } catch (const std::exception& error) {
    say(stderr, "phasegrid: {}\n", error_sentence(error.what()));
    return 1;
  }
}

}  // namespace
}  // namespace phasegrid

int main(int argc, char** argv) {
  phasegrid::prepare_output();
  return phasegrid::finish_output(phasegrid::run_reporting_errors(argc, argv));
}
