// .npz: a zip of .npy arrays, written with libzip (stored, with a fixed time, so that equal arrays give equal bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "input_file.hpp"

namespace phasegrid {

// One array, row-major.
struct NpyArray {
  std::string type;                // NumPy's: "<f4", "<f8", "<i4", "<i8" or "<U12"
  std::vector<std::size_t> shape;  // () for a scalar
  std::vector<std::byte> bytes;

  std::size_t size() const;  // elements
};

NpyArray make_array(std::span<const float> values, std::vector<std::size_t> shape);
NpyArray make_array(std::span<const double> values, std::vector<std::size_t> shape);
NpyArray make_array(std::span<const std::int32_t> values, std::vector<std::size_t> shape);
NpyArray make_string(std::string_view ascii);  // a scalar

using NpzArrays = std::vector<std::pair<std::string, NpyArray>>;

// An array whose bytes are asked for while the file is written, from the first to the last, once.
using NpzRead = std::function<void(std::uint64_t at, std::span<std::byte> to)>;
struct NpzEntry {
  std::string key;
  std::string type;
  std::vector<std::size_t> shape;
  std::uint64_t size;  // bytes
  NpzRead read;
};
NpzEntry entry_of(std::string key, NpyArray array);
std::vector<NpzEntry> entries_of(NpzArrays arrays);

// Writes the file with `put`, mostly but not always one byte behind the other, and returns its size. Throws what `put` and
// the entries throw.
using Put = std::function<void(std::uint64_t at, std::span<const std::byte> bytes)>;
std::uint64_t write_npz(const std::vector<NpzEntry>& entries, const Put& put);
// The bytes of the file.
std::vector<std::byte> npz_bytes(NpzArrays arrays);
// What it has at most where its arrays hold so many bytes, each under a key of ours.
std::size_t npz_size_bound(std::size_t arrays, std::size_t bytes);

// A file, read whole but for the arrays that are left in it. Every error is an InputError that names the path, the key and what is wrong. An array of elements
// that we do not read (pickled objects, records) is an error only where it is asked for; nothing is ever unpickled.
class NpzFile {
 public:
  // Of arrays of which `left` holds, only what they are is read where the file is laid out so that they can be read in
  // parts: they have a place(), and no numbers here.
  explicit NpzFile(std::string path, const std::function<bool(const std::string& key)>& left = {});

  struct Place {
    std::uint64_t begin, end;            // of the array's own bytes in the file
    std::uint32_t sum_before, sum;       // check sums: of what stands before them in its entry, and of the whole entry
  };
  const Place* place(const std::string& key) const;  // none where it was read

  const std::string& path() const { return path_; }
  bool has(const std::string& key) const { return arrays_.contains(key) || passed_over_.contains(key); }
  const NpyArray& array(const std::string& key) const;
  // Any numeric array as float64, float32 or int32; values that int32 cannot hold are refused.
  std::vector<double> doubles(const std::string& key) const;
  std::vector<float> floats(const std::string& key) const;
  std::vector<std::int32_t> integers(const std::string& key) const;
  std::string text(const std::string& key) const;
  // Refuses an array of another shape.
  void expect_shape(const std::string& key, const std::vector<std::size_t>& shape) const;

 private:
  bool leave(const InputFile& file, const std::string& name, std::uint64_t begin, std::uint64_t size, std::uint32_t sum);

  std::string path_;
  std::map<std::string, NpyArray> arrays_;
  std::map<std::string, Place> places_;
  std::map<std::string, std::string> passed_over_;  // key -> why
};

}  // namespace phasegrid
