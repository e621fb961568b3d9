/*
 * The part of the DRM uAPI that is younger than the newest header that this
 * package can expect: Debian 12 ships the headers of libdrm 2.4.114, and
 * clients built against later ones use these requests. Each piece is guarded,
 * so that a header which has it takes over, and the tests then compare.
 *
 * SPDX-License-Identifier: MIT
 */

#ifndef DRM_IOCTL_SYNCOBJ_EVENTFD
#define DRM_IOCTL_SYNCOBJ_EVENTFD	DRM_IOWR(0xCF, struct drm_syncobj_eventfd)
struct drm_syncobj_eventfd {
	__u32 handle;
	__u32 flags;
	__u64 point;
	__s32 fd;
	__u32 pad;
};
#endif

#ifndef DRM_IOCTL_MODE_CLOSEFB
#define DRM_IOCTL_MODE_CLOSEFB		DRM_IOWR(0xD0, struct drm_mode_closefb)
struct drm_mode_closefb {
	__u32 fb_id;
	__u32 pad;
};
#endif

#ifndef DRM_IOCTL_SET_CLIENT_NAME
#define DRM_IOCTL_SET_CLIENT_NAME	DRM_IOWR(0xD1, struct drm_set_client_name)
#define DRM_CLIENT_NAME_MAX_LEN		64
struct drm_set_client_name {
	__u64 name_len;
	__u64 name;
};
#endif

#ifndef DRM_IOCTL_GEM_CHANGE_HANDLE
#define DRM_IOCTL_GEM_CHANGE_HANDLE	DRM_IOWR(0xD2, struct drm_gem_change_handle)
struct drm_gem_change_handle {
	__u32 handle;
	__u32 new_handle;
};
#endif

/*
 * A struct that has grown has a name of its own here, because the older header
 * has taken the right one. The macro makes the requests use it.
 */
#ifndef DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE
#define DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_TIMELINE	(1 << 1)
#define DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE	(1 << 1)
struct newer_drm_syncobj_handle {
	__u32 handle;
	__u32 flags;
	__s32 fd;
	__u32 pad;
	__u64 point;
};
#define drm_syncobj_handle newer_drm_syncobj_handle
#endif

#ifndef DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT
#define DRM_CLIENT_CAP_CURSOR_PLANE_HOTSPOT	6
#endif

#ifndef DRM_CLIENT_CAP_PLANE_COLOR_PIPELINE
#define DRM_CLIENT_CAP_PLANE_COLOR_PIPELINE	7
#endif

#ifndef DRM_MODE_OBJECT_COLOROP
#define DRM_MODE_OBJECT_COLOROP	0xfafafafa
struct drm_color_ctm_3x4 {
	__u64 matrix[12];
};
struct drm_color_lut32 {
	__u32 red;
	__u32 green;
	__u32 blue;
	__u32 reserved;
};
#endif

#ifndef DRM_CAP_ATOMIC_ASYNC_PAGE_FLIP
#define DRM_CAP_ATOMIC_ASYNC_PAGE_FLIP	0x15
#endif

#ifndef DRM_FORMAT_R1
#define DRM_FORMAT_R1	fourcc_code('R', '1', ' ', ' ')
#endif

#ifndef DRM_FORMAT_R2
#define DRM_FORMAT_R2	fourcc_code('R', '2', ' ', ' ')
#endif

#ifndef DRM_FORMAT_R4
#define DRM_FORMAT_R4	fourcc_code('R', '4', ' ', ' ')
#endif

#ifndef DRM_FORMAT_C1
#define DRM_FORMAT_C1	fourcc_code('C', '1', ' ', ' ')
#endif

#ifndef DRM_FORMAT_C2
#define DRM_FORMAT_C2	fourcc_code('C', '2', ' ', ' ')
#endif

#ifndef DRM_FORMAT_C4
#define DRM_FORMAT_C4	fourcc_code('C', '4', ' ', ' ')
#endif

#ifndef DRM_FORMAT_D1
#define DRM_FORMAT_D1	fourcc_code('D', '1', ' ', ' ')
#endif

#ifndef DRM_FORMAT_D2
#define DRM_FORMAT_D2	fourcc_code('D', '2', ' ', ' ')
#endif

#ifndef DRM_FORMAT_D4
#define DRM_FORMAT_D4	fourcc_code('D', '4', ' ', ' ')
#endif

#ifndef DRM_FORMAT_D8
#define DRM_FORMAT_D8	fourcc_code('D', '8', ' ', ' ')
#endif

#ifndef DRM_FORMAT_RGB161616
#define DRM_FORMAT_RGB161616	fourcc_code('R', 'G', '4', '8')
#endif

#ifndef DRM_FORMAT_BGR161616
#define DRM_FORMAT_BGR161616	fourcc_code('B', 'G', '4', '8')
#endif

#ifndef DRM_FORMAT_XVUY2101010
#define DRM_FORMAT_XVUY2101010	fourcc_code('X', 'Y', '3', '0')
#endif

#ifndef DRM_FORMAT_NV20
#define DRM_FORMAT_NV20	fourcc_code('N', 'V', '2', '0')
#endif

#ifndef DRM_FORMAT_NV30
#define DRM_FORMAT_NV30	fourcc_code('N', 'V', '3', '0')
#endif

#ifndef DRM_FORMAT_P230
#define DRM_FORMAT_P230	fourcc_code('P', '2', '3', '0')
#endif

#ifndef DRM_FORMAT_T430
#define DRM_FORMAT_T430	fourcc_code('T', '4', '3', '0')
#endif

#ifndef DRM_FORMAT_S010
#define DRM_FORMAT_S010	fourcc_code('S', '0', '1', '0')
#endif

#ifndef DRM_FORMAT_S210
#define DRM_FORMAT_S210	fourcc_code('S', '2', '1', '0')
#endif

#ifndef DRM_FORMAT_S410
#define DRM_FORMAT_S410	fourcc_code('S', '4', '1', '0')
#endif

#ifndef DRM_FORMAT_S012
#define DRM_FORMAT_S012	fourcc_code('S', '0', '1', '2')
#endif

#ifndef DRM_FORMAT_S212
#define DRM_FORMAT_S212	fourcc_code('S', '2', '1', '2')
#endif

#ifndef DRM_FORMAT_S412
#define DRM_FORMAT_S412	fourcc_code('S', '4', '1', '2')
#endif

#ifndef DRM_FORMAT_S016
#define DRM_FORMAT_S016	fourcc_code('S', '0', '1', '6')
#endif

#ifndef DRM_FORMAT_S216
#define DRM_FORMAT_S216	fourcc_code('S', '2', '1', '6')
#endif

#ifndef DRM_FORMAT_S416
#define DRM_FORMAT_S416	fourcc_code('S', '4', '1', '6')
#endif

#ifndef DRM_FORMAT_Y8
#define DRM_FORMAT_Y8	fourcc_code('G', 'R', 'E', 'Y')
#endif

#ifndef DRM_FORMAT_XYYY2101010
#define DRM_FORMAT_XYYY2101010	fourcc_code('Y', 'P', 'A', '4')
#endif

#ifndef DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE
#define DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE	(1 << 3)
struct newer_drm_syncobj_wait {
	__u64 handles;
	__s64 timeout_nsec;
	__u32 count_handles;
	__u32 flags;
	__u32 first_signaled;
	__u32 pad;
	__u64 deadline_nsec;
};
struct newer_drm_syncobj_timeline_wait {
	__u64 handles;
	__u64 points;
	__s64 timeout_nsec;
	__u32 count_handles;
	__u32 flags;
	__u32 first_signaled;
	__u32 pad;
	__u64 deadline_nsec;
};
#define drm_syncobj_wait newer_drm_syncobj_wait
#define drm_syncobj_timeline_wait newer_drm_syncobj_timeline_wait
#endif

/* Linux has it in linux/sync_file.h. */
#ifndef SYNC_IOC_SET_DEADLINE
#define SYNC_IOC_SET_DEADLINE	_IOW(SYNC_IOC_MAGIC, 5, struct sync_set_deadline)
struct sync_set_deadline {
	__u64 deadline_ns;
	__u64 pad;
};
#endif
