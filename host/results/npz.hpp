// .npz: a zip of .npy arrays, written with libzip (stored, with a fixed time, so that equal arrays give equal bytes).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

// The bytes of the file. At its peak that takes twice as much memory, the arrays included.
std::vector<std::byte> npz_bytes(NpzArrays arrays);
// What it has at most where its arrays hold so many bytes, each under a key of ours.
std::size_t npz_size_bound(std::size_t arrays, std::size_t bytes);

// A file read whole. Every error is an InputError that names the path, the key and what is wrong. An array of elements
// that we do not read (pickled objects, records) is an error only where it is asked for; nothing is ever unpickled.
class NpzFile {
 public:
  explicit NpzFile(std::string path);

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
  std::string path_;
  std::map<std::string, NpyArray> arrays_;
  std::map<std::string, std::string> passed_over_;  // key -> why
};

}  // namespace phasegrid
