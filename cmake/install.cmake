# What `cmake --install` puts under a prefix: library, headers, the package for find_package(phasegrid) and a
# file for pkg-config. (The program is added where it is built.)
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

target_include_directories(phasegrid INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS phasegrid EXPORT phasegridTargets)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/phasegrid DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")

# A shared library brings what it needs; who links a static one must find that.
get_target_property(library_type phasegrid TYPE)
if(library_type STREQUAL STATIC_LIBRARY)
  set(PHASEGRID_IS_STATIC ON)
  set(PHASEGRID_PC_REQUIRES "Requires: libzip libdeflate fmt tomlplusplus")
  set(PHASEGRID_PC_LIBS "-lstdc++ -lm -pthread")
  if(PHASEGRID_HAS_CUDA)
    string(APPEND PHASEGRID_PC_LIBS " -L${CUDAToolkit_LIBRARY_DIR} -lcudart")
  endif()
else()
  set(PHASEGRID_IS_STATIC OFF)
  set(PHASEGRID_PC_REQUIRES "")
  set(PHASEGRID_PC_LIBS "")
endif()

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/phasegrid)
set(generated ${CMAKE_CURRENT_BINARY_DIR}/install)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/phasegridConfig.cmake.in ${generated}/phasegridConfig.cmake
  INSTALL_DESTINATION ${config_folder})
write_basic_package_version_file(${generated}/phasegridConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${generated}/phasegridConfig.cmake ${generated}/phasegridConfigVersion.cmake
  DESTINATION ${config_folder})
install(EXPORT phasegridTargets NAMESPACE phasegrid:: DESTINATION ${config_folder})
# The prefix follows from where the file lies, so that --prefix at install time holds here too.
file(RELATIVE_PATH PHASEGRID_PC_UP /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${PROJECT_SOURCE_DIR}/cmake/phasegrid.pc.in ${generated}/phasegrid.pc @ONLY)
install(FILES ${generated}/phasegrid.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
