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
#include "runs_of_bits.hpp"

namespace phasegrid {
namespace {

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

// What stands before an array's own bytes, where an entry of `size` bytes begins with these.
struct NpyHeader {
  NpyArray array;  // without bytes
  std::size_t length = 0;
};
// Throws std::runtime_error saying what is wrong.
NpyHeader parse_header(std::span<const std::byte> bytes, std::uint64_t size) {
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
    if (array.shape.back() != 0 && elements > size / array.shape.back()) {
      throw std::runtime_error("is shorter than its shape says");
    }
    elements *= array.shape.back();
  }
  if (*order == "True" && array.shape.size() > 1) throw std::runtime_error("is in Fortran order; C order is needed");
  if (size - (start + length) != elements * item) throw std::runtime_error("is not as long as its shape says");
  return {std::move(array), start + length};
}

NpyArray parse_npy(std::span<const std::byte> bytes) {
  NpyHeader header = parse_header(bytes, bytes.size());
  const auto data = bytes.subspan(header.length);
  header.array.bytes.assign(data.begin(), data.end());
  return std::move(header.array);
}

// ---------------------------------------------------------------- zip

struct CloseZip {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseEntry {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};

// Goes from entry to entry of a file, as far as they lie one behind the other, stored and with their sizes before them, as
// those of phasegrid and of NumPy do.
class EntriesInARow {
 public:
  explicit EntriesInARow(const std::string& path) : file_(path) {}

  // Where the bytes of the next entry begin; none where it lies in another way, or one before it did.
  std::optional<std::uint64_t> next(const zip_stat_t& about) {
    constexpr std::size_t kHeader = 30;  // "PK\3\4", version, flags, method ..; at 26, lengths of the name and of more
    constexpr unsigned kSizesBehind = 1 << 3;
    if (!in_a_row_) return std::nullopt;
    in_a_row_ = false;
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_CRC;
    if ((about.valid & kNeeded) != kNeeded || about.comp_method != ZIP_CM_STORE || about.size != about.comp_size) {
      return std::nullopt;
    }
    const std::string_view name = about.name;
    std::vector<std::byte> header(kHeader + name.size());
    if (!file_.read(at_, header)) return std::nullopt;
    auto number = [&](std::size_t at) {
      return std::to_integer<unsigned>(header[at]) | std::to_integer<unsigned>(header[at + 1]) << 8;
    };
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    if (!text.starts_with("PK\3\4") || (number(6) & kSizesBehind) != 0 || number(8) != ZIP_CM_STORE ||
        number(26) != name.size() || text.substr(kHeader) != name) {
      return std::nullopt;
    }
    const std::uint64_t begin = at_ + header.size() + number(28);
    if (begin + about.size > file_.size()) return std::nullopt;
    at_ = begin + about.size;
    in_a_row_ = true;
    return begin;
  }

  const InputFile& file() const { return file_; }

 private:
  InputFile file_;
  std::uint64_t at_ = 0;
  bool in_a_row_ = true;
};

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

NpzFile::NpzFile(std::string path, const std::function<bool(const std::string&)>& left) : path_(std::move(path)) {
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
  std::optional<EntriesInARow> row;
  if (left) row.emplace(path_);
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
    const auto begin = row ? row->next(about) : std::nullopt;
    if (begin && left(name) && leave(row->file(), name, *begin, about.size, about.crc)) continue;
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

bool NpzFile::leave(const InputFile& file, const std::string& name, std::uint64_t begin, std::uint64_t size,
                    std::uint32_t sum) {
  std::vector<std::byte> start(std::min<std::uint64_t>(size, kLongestHeader + 12));
  if (!file.read(begin, start)) return false;
  try {
    NpyHeader header = parse_header(start, size);
    const std::uint32_t of_header = crc32_of(std::span(start).first(header.length));
    places_[name] = {begin + header.length, begin + size, of_header, sum};
    arrays_[name] = std::move(header.array);
  } catch (const std::runtime_error&) {
    return false;  // reading it whole says what is wrong
  }
  return true;
}

const NpzFile::Place* NpzFile::place(const std::string& key) const {
  const auto found = places_.find(key);
  return found == places_.end() ? nullptr : &found->second;
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
