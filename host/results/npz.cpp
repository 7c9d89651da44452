#include "npz.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>

#include "phasegrid/error.hpp"

namespace phasegrid {
namespace {

// 1980-01-01 00:00 as MS-DOS writes it, the first a zip can hold: the same bytes in every time zone.
constexpr zip_uint16_t kFixedTime = 0, kFixedDate = 0x21;

// NumPy's own headers of simple arrays take at most some hundred characters.
constexpr std::size_t kLongestHeader = 2048;

template <class T>
NpyArray array_of(std::string type, std::span<const T> values, std::vector<std::size_t> shape) {
  const auto bytes = std::as_bytes(values);
  NpyArray array{std::move(type), std::move(shape), {bytes.begin(), bytes.end()}};
  if (array.size() != values.size()) throw std::logic_error("npz: shape and values differ in size");
  return array;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  return fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
}

// ---------------------------------------------------------------- .npy

// What stands before the array's own bytes.
std::string npy_prefix(const NpyArray& array) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", array.type, shape_text(array.shape));
  // Version 1.0: magic, version and length take 10 bytes, and the data begins at a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  return prefix + header;
}

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of an element; 0 where the type is none of ours.
std::size_t item_size(const std::string& type) {
  if (type == "<f4" || type == "<i4") return 4;
  if (type == "<f8" || type == "<i8") return 8;
  if (type.starts_with("<U") && type.size() > 2 && type.size() < 10 &&
      std::ranges::all_of(type.substr(2), is_digit)) {
    return 4 * std::stoul(type.substr(2));
  }
  return 0;
}

// A sound array whose elements are none that we read, pickled objects among them.
struct OtherElements : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// What `read` finds in a header behind a key and white space, at the first place where it finds something.
template <class Read>
std::optional<std::string_view> value_of(std::string_view header, std::string_view key, Read read) {
  for (std::size_t at = header.find(key); at != header.npos; at = header.find(key, at + 1)) {
    std::string_view text = header.substr(at + key.size());
    text.remove_prefix(std::min(text.find_first_not_of(" \t\n\v\f\r"), text.size()));
    if (const std::optional<std::string_view> found = read(text)) return found;
  }
  return std::nullopt;
}

// The characters that `allowed` holds of, where a text begins with them between `open` and `close`.
template <class Allowed>
std::optional<std::string_view> enclosed(std::string_view text, char open, char close, Allowed allowed) {
  if (!text.starts_with(open)) return std::nullopt;
  const std::string_view inside(text.begin() + 1, std::find_if_not(text.begin() + 1, text.end(), allowed));
  if (inside.end() == text.end() || *inside.end() != close) return std::nullopt;
  return inside;
}

// Throws std::runtime_error saying what is wrong.
NpyArray parse_npy(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
  if (text.size() < 12 || !text.starts_with("\x93NUMPY")) throw std::runtime_error("is not a NumPy array");
  const bool wide = byte(6) >= 2;
  const std::size_t start = wide ? 12 : 10;
  std::size_t length = byte(8) | byte(9) << 8;
  if (wide) length |= byte(10) << 16 | byte(11) << 24;
  if (length > kLongestHeader || start + length > text.size()) throw std::runtime_error("has a broken header");
  const std::string_view header = text.substr(start, length);
  const auto type = value_of(header, "'descr':", [](std::string_view rest) {
    return enclosed(rest, '\'', '\'', [](char c) { return c >= ' ' && c <= '~' && c != '\''; });
  });
  if (!type) throw OtherElements("has no simple element type (object or record?)");
  const auto order = value_of(header, "'fortran_order':", [](std::string_view rest) -> std::optional<std::string_view> {
    for (const std::string_view word : {"True", "False"}) {
      if (rest.starts_with(word)) return word;
    }
    return std::nullopt;
  });
  const auto shape = value_of(header, "'shape':", [](std::string_view rest) {
    return enclosed(rest, '(', ')', [](char c) { return is_digit(c) || c == ',' || c == ' '; });
  });
  if (!order || !shape) throw std::runtime_error("has a broken header");
  NpyArray array;
  array.type = *type;
  const std::size_t item = item_size(array.type);
  if (item == 0) throw OtherElements("has elements of type " + array.type + "; float, int or string is needed");
  std::size_t elements = 1;
  for (auto at = shape->begin(); at != shape->end();) {
    if (!is_digit(*at)) {
      ++at;
      continue;
    }
    const std::string number(at, std::find_if_not(at, shape->end(), is_digit));
    at += static_cast<std::ptrdiff_t>(number.size());
    if (number.size() > 12) throw std::runtime_error("has a broken shape");
    array.shape.push_back(std::stoul(number));
    // More elements than bytes cannot be; refusing early keeps the product from overflowing.
    if (array.shape.back() != 0 && elements > text.size() / array.shape.back()) {
      throw std::runtime_error("is shorter than its shape says");
    }
    elements *= array.shape.back();
  }
  if (*order == "True" && array.shape.size() > 1) throw std::runtime_error("is in Fortran order; C order is needed");
  const std::span<const std::byte> data = bytes.subspan(start + length);
  if (data.size() != elements * item) throw std::runtime_error("is not as long as its shape says");
  array.bytes.assign(data.begin(), data.end());
  return array;
}

// ---------------------------------------------------------------- zip

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

void check_zip(bool good, const char* what) {
  if (!good) throw std::runtime_error(std::string("libzip: ") + what + " failed");  // out of memory: nothing else can
}

}  // namespace

std::size_t NpyArray::size() const {
  std::size_t elements = 1;
  for (std::size_t extent : shape) elements *= extent;
  return elements;
}

NpyArray make_array(std::span<const float> v, std::vector<std::size_t> s) { return array_of("<f4", v, std::move(s)); }
NpyArray make_array(std::span<const double> v, std::vector<std::size_t> s) { return array_of("<f8", v, std::move(s)); }
NpyArray make_array(std::span<const std::int32_t> v, std::vector<std::size_t> s) {
  return array_of("<i4", v, std::move(s));
}

NpyArray make_string(std::string_view ascii) {
  std::vector<char32_t> wide(ascii.begin(), ascii.end());
  if (wide.empty()) wide.push_back(0);  // as NumPy pads: it has no strings of length 0
  NpyArray array{fmt::format("<U{}", wide.size()), {}, {}};
  const auto bytes = std::as_bytes(std::span(wide));
  array.bytes.assign(bytes.begin(), bytes.end());
  return array;
}

std::size_t npz_size_bound(std::size_t arrays, std::size_t bytes) { return bytes + 1024 * (arrays + 1); }

std::vector<std::byte> npz_bytes(NpzArrays arrays) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* whole = zip_source_buffer_create(nullptr, 0, 0, &error);
  check_zip(whole != nullptr, "zip_source_buffer_create");
  const std::unique_ptr<zip_source_t, void (*)(zip_source_t*)> keeper(whole, zip_source_free);
  zip_source_keep(whole);  // zip_close frees one count; the bytes are read after it
  zip_t* archive = zip_open_from_source(whole, ZIP_TRUNCATE, &error);
  check_zip(archive != nullptr, "zip_open_from_source");
  std::unique_ptr<zip_t, CloseZip> owner(archive);
  std::vector<std::string> prefixes;  // libzip reads them and the arrays in zip_close
  prefixes.reserve(arrays.size());
  for (auto& [key, array] : arrays) {
    std::string& prefix = prefixes.emplace_back(npy_prefix(array));
    const zip_buffer_fragment_t parts[] = {
        {reinterpret_cast<zip_uint8_t*>(prefix.data()), prefix.size()},
        {reinterpret_cast<zip_uint8_t*>(array.bytes.data()), array.bytes.size()},
    };
    zip_source_t* source = zip_source_buffer_fragment(archive, parts, array.bytes.empty() ? 1 : 2, 0);
    check_zip(source != nullptr, "zip_source_buffer_fragment");
    const zip_int64_t index = zip_file_add(archive, (key + ".npy").c_str(), source, ZIP_FL_ENC_UTF_8);
    check_zip(index >= 0, "zip_file_add");
    const auto entry = static_cast<zip_uint64_t>(index);
    check_zip(zip_set_file_compression(archive, entry, ZIP_CM_STORE, 0) == 0, "zip_set_file_compression");
    check_zip(zip_file_set_dostime(archive, entry, kFixedTime, kFixedDate, 0) == 0, "zip_file_set_dostime");
  }
  check_zip(zip_close(owner.release()) == 0, "zip_close");
  arrays = {};  // libzip has copied them
  check_zip(zip_source_open(whole) == 0 && zip_source_seek(whole, 0, SEEK_END) == 0, "reading the archive");
  std::vector<std::byte> bytes(static_cast<std::size_t>(zip_source_tell(whole)));
  check_zip(zip_source_seek(whole, 0, SEEK_SET) == 0 &&
                zip_source_read(whole, bytes.data(), bytes.size()) == static_cast<zip_int64_t>(bytes.size()),
            "reading the archive");
  zip_source_close(whole);
  return bytes;
}

NpzFile::NpzFile(std::string path) : path_(std::move(path)) {
  std::error_code unknown;
  if (std::filesystem::exists(path_, unknown) && !std::filesystem::is_regular_file(path_, unknown)) {
    throw InputError(fmt::format("{}: cannot be read as .npz: it is not a file", path_));  // a pipe may never end
  }
  int code = 0;
  const std::unique_ptr<zip_t, CloseZip> archive(zip_open(path_.c_str(), ZIP_RDONLY, &code));
  if (!archive) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(fmt::format("{}: cannot be read as .npz: {}", path_, reason));
  }
  // Some megabytes can unpack to many gigabytes, and entries can overlap. Real results hardly shrink.
  const std::uintmax_t packed = std::filesystem::file_size(path_, unknown);
  const std::uintmax_t most = std::max<std::uintmax_t>(std::uintmax_t{256} << 20, unknown ? 0 : 16 * packed);
  std::uintmax_t unpacked = 0;
  std::set<std::string> names;
  std::vector<std::byte> piece(std::size_t{1} << 16);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(zip_get_num_entries(archive.get(), 0)); ++i) {
    const char* raw = zip_get_name(archive.get(), i, 0);
    std::string name = raw != nullptr ? raw : "?";
    std::ranges::replace_if(
        name, [](char c) { return c >= 0 && c < ' '; }, '?');  // messages are one line
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    if (!names.insert(name).second) throw InputError(fmt::format("{}: '{}' stands in it twice", path_, name));
    zip_stat_t about = {};
    const bool known = zip_stat_index(archive.get(), i, 0, &about) == 0;
    const bool plain = about.encryption_method == ZIP_EM_NONE &&
                       (about.comp_method == ZIP_CM_STORE || about.comp_method == ZIP_CM_DEFLATE);
    if (known && !plain) {
      throw InputError(
          fmt::format("{}: '{}' is encrypted or compressed in a way that NumPy does not write", path_, name));
    }
    if (known && about.size > most) {  // what it says; what it holds is counted below
      throw InputError(fmt::format("{}: '{}' unpacks to far more than the file holds", path_, name));
    }
    // Read in pieces: the size that a broken file claims is not to be trusted with an allocation.
    std::vector<std::byte> bytes;
    const std::unique_ptr<zip_file_t, CloseEntry> entry(zip_fopen_index(archive.get(), i, 0));
    zip_int64_t got = entry ? 1 : -1;
    while (got > 0) {
      got = zip_fread(entry.get(), piece.data(), piece.size());
      if (got > 0) unpacked += static_cast<std::uintmax_t>(got);
      if (unpacked > most) {
        throw InputError(fmt::format("{}: '{}' unpacks to far more than the file holds", path_, name));
      }
      if (got > 0) bytes.insert(bytes.end(), piece.begin(), piece.begin() + got);
    }
    if (got < 0) throw InputError(fmt::format("{}: '{}' cannot be read: the file is damaged", path_, name));
    try {
      arrays_[name] = parse_npy(bytes);
    } catch (const OtherElements& error) {
      passed_over_[name] = error.what();
    } catch (const std::runtime_error& error) {
      throw InputError(fmt::format("{}: '{}' {}", path_, name, error.what()));
    }
  }
}

const NpyArray& NpzFile::array(const std::string& key) const {
  if (const auto found = passed_over_.find(key); found != passed_over_.end()) {
    throw InputError(fmt::format("{}: '{}' {}", path_, key, found->second));
  }
  const auto found = arrays_.find(key);
  if (found == arrays_.end()) throw InputError(fmt::format("{}: has no array '{}'", path_, key));
  return found->second;
}

std::vector<double> NpzFile::doubles(const std::string& key) const {
  const NpyArray& a = array(key);
  auto convert = [&]<class T>(T) {
    std::vector<double> values;
    values.reserve(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      T value;
      std::memcpy(&value, a.bytes.data() + i * sizeof(T), sizeof(T));
      values.push_back(static_cast<double>(value));
    }
    return values;
  };
  if (a.type == "<f4") return convert(float{});
  if (a.type == "<f8") return convert(double{});
  if (a.type == "<i4") return convert(std::int32_t{});
  if (a.type == "<i8") return convert(std::int64_t{});
  throw InputError(fmt::format("{}: '{}' must hold numbers, not elements of type {}", path_, key, a.type));
}

std::vector<float> NpzFile::floats(const std::string& key) const {
  if (const NpyArray& a = array(key); a.type == "<f4") {
    std::vector<float> values(a.size());
    if (!values.empty()) std::memcpy(values.data(), a.bytes.data(), a.bytes.size());
    return values;
  }
  const std::vector<double> wide = doubles(key);
  std::vector<float> values;
  values.reserve(wide.size());
  for (double value : wide) values.push_back(static_cast<float>(value));
  return values;
}

std::vector<std::int32_t> NpzFile::integers(const std::string& key) const {
  std::vector<std::int32_t> values;
  for (double value : doubles(key)) {
    if (!(value >= -0x1p31 && value < 0x1p31) || value != std::floor(value)) {
      throw InputError(fmt::format("{}: '{}' must hold 32-bit integers, not {}", path_, key, value));
    }
    values.push_back(static_cast<std::int32_t>(value));
  }
  return values;
}

std::string NpzFile::text(const std::string& key) const {
  const NpyArray& a = array(key);
  if (!a.type.starts_with("<U") || !a.shape.empty()) {
    throw InputError(fmt::format("{}: '{}' must be one string", path_, key));
  }
  std::string text;
  for (std::size_t i = 0; i + 4 <= a.bytes.size(); i += 4) {
    char32_t character;
    std::memcpy(&character, a.bytes.data() + i, 4);
    if (character == 0) break;  // NumPy pads with zeros
    text += character < 128 ? static_cast<char>(character) : '?';
  }
  return text;
}

void NpzFile::expect_shape(const std::string& key, const std::vector<std::size_t>& shape) const {
  const NpyArray& a = array(key);
  if (a.shape != shape) {
    throw InputError(
        fmt::format("{}: '{}' must have the shape {}, not {}", path_, key, shape_text(shape), shape_text(a.shape)));
  }
}

}  // namespace phasegrid
